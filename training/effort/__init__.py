"""Training of the readers: effort, domain, needs_info and turn of a request."""
