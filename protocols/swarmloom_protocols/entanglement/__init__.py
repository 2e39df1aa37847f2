"""Algorithms of the entanglement protocol."""
