"""Fast path for cache hits: joins response bytes without running the decider."""
