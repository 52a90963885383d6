"""The composition root: settings and policy file -> engines -> chain -> server."""
