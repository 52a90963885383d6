"""The policy file: YAML -> core values; loaded, checked, watched."""
