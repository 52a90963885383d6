"""Pure: what a decision is and how it is made, without a library or a side effect."""
