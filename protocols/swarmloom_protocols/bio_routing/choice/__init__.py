"""Choosing the expert that gets the next task: pheromone by topic and expert, and its rivals."""
