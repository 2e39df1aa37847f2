"""Near topics and the prior they give, one pair at a time."""

import math


def near(places, topic, least):
    """Rows and cosines of all topics at least so near, the nearest first."""
    length = [math.sqrt(sum(x * x for x in place)) for place in places]
    found = []
    for other, place in enumerate(places):
        if other == topic or not (length[other] and length[topic]):
            continue
        product = sum(a * b for a, b in zip(place, places[topic], strict=True))
        cosine = product / (length[other] * length[topic])
        if cosine >= least:
            found.append((other, cosine))
    return sorted(found, key=lambda pair: -pair[1])


def prior(cells, cosines, width, cap, plain):
    """Success and failure counts; `cells` and `cosines` by near topic."""
    kernel = {other: math.exp((cosine - 1) / width) for other, cosine in cosines}
    sums = [sum(kernel[o] * cells[o][kind] for o in kernel) + plain[kind] for kind in (0, 1)]
    share = min(1.0, max(cap, sum(plain)) / sum(sums))
    return sums[0] * share, sums[1] * share


def log_score(cells, own, cosines, width, cap, plain, right):
    """What a candidate's prediction of one answer is worth; no width for "not at all"."""
    counts = plain if width is None else prior(cells, cosines, width, cap, plain)
    success, failure = (counts[kind] + own[kind] for kind in (0, 1))
    rate = success / (success + failure)
    return right * math.log(rate) + (1 - right) * math.log(1 - rate)
