"""The trace store: sparse marks of what was tried, by whom and how it went."""
