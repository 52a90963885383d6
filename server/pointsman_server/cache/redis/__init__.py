"""Redis as the cache that replicas share."""
