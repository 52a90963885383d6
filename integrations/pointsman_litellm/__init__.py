"""LiteLLM asks Pointsman."""
