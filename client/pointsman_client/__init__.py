"""The Python client of Pointsman."""
