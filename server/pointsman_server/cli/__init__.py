"""Commands of the server package, one module each."""
