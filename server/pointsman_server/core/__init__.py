"""The decision as pure code, without libraries and side effects."""
