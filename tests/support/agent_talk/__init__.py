"""Conversations of agents as their bodies, and an oracle of the design's order of a turn."""
