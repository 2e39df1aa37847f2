"""Swarms that lay the trails they follow, in blocks for vector units."""
