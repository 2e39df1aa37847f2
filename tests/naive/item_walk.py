"""The pheromone walk from user to item to user to item, by loops over a dense trail."""

import numpy as np


def item_walk(trail, damping):
    trail = np.asarray(trail, float)
    n_users, n_items = trail.shape
    scores = np.zeros((n_users, n_items))
    for start in range(n_users):
        for first in np.flatnonzero(trail[start]):
            for other in np.flatnonzero(trail[:, first]):
                for last in np.flatnonzero(trail[other]):
                    scores[start, last] += (
                        trail[start, first]
                        / trail[start].sum()
                        * trail[other, first]
                        / trail[:, first].sum()
                        * trail[other, last]
                        / trail[other].sum()
                    )
    for item in range(n_items):
        if trail[:, item].any():
            scores[:, item] /= trail[:, item].sum() ** damping
    return scores
