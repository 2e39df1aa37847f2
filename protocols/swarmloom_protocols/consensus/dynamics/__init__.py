"""How opinions move: potentials, integrators, noise, attractors, basins and bifurcations."""
