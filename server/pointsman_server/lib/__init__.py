"""Small parts that every room may use. They stand on the standard library alone."""
