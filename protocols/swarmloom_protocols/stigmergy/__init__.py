"""Algorithms of the stigmergy protocol."""
