"""Decision log: one JSON line a decision."""
