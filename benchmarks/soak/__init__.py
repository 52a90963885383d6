"""Steady load on real servers for a long time, and their growth."""
