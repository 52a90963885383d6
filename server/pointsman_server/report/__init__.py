"""Evaluate decision logs: lines, sums, and figures as text or as JSON."""
