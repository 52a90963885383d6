"""Many serving processes under one supervisor, which is light: the standard library, no more."""
