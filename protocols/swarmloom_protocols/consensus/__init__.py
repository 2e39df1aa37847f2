"""Algorithms of the consensus protocol."""
