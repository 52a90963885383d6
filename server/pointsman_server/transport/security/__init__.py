"""Authentication and TLS: tokens, peer identities, certificates."""
