"""Many tasks to many experts at once: auction, exact flow and what mixtures of experts use."""
