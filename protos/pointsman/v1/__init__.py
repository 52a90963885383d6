"""Version 1 of the contract; the `.proto` files beside this one are its source."""
