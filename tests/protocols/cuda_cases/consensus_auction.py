"""Bids and awards of the auction, through whole auctions whose optimum is unique."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from swarmloom_protocols.consensus.allocation.auction import auction
from tests.protocols.cuda_cases.case import Case


def chosen(values, device):
    return auction(values, gap=0.0, device=device).assignment


def chosen_by_scipy(values):
    return linear_sum_assignment(values, maximize=True)[1].astype(np.int64)


def market(rng, size):
    return (rng.random((size // 3 + (size > 0), size // 3 + 5)),)


PACKAGE = "swarmloom_protocols.consensus.allocation.auction_cuda"
CASES = {
    f"{PACKAGE}.bid": Case(chosen, chosen_by_scipy, market),
    f"{PACKAGE}.award": Case(chosen, chosen_by_scipy, market),
}
