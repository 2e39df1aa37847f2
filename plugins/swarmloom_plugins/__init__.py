"""Each coordination protocol as a pluggy plugin, and the built-in patterns."""
