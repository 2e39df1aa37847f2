"""Algorithms of the orchestration protocol."""
