"""Layers around an engine. Each layer is a `DecisionEngine` and holds one `delegate`."""
