"""Steady load on real servers for long, and what of them grew."""
