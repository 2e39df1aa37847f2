"""The pheromone field: dense chemistry on a grid."""
