"""The sections of the policy file, as pydantic models that give core values."""
