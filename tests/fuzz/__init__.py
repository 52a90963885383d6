"""Bytes from outside, against every reader that takes them: `make fuzz`, and `make test` again."""
