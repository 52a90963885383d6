"""The Pointsman server: decides which language model should serve a prompt."""
