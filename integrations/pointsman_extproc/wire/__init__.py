"""The part of Envoy's external processing protocol that is spoken here, and its stubs."""
