"""Log of the service itself."""
