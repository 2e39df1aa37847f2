"""Colonies that solve problems through trails: bridges, foraging, sorting."""
