"""Round tours: reading instances, 3-opt, ants with local search, and the control without ants."""
