"""Algorithms of the bio-routing protocol."""
