"""Rendezvous ranks, a ring and jump hashing in plain Python, on hashes of keys and hosts."""

import math
from bisect import bisect_left

MASK = (1 << 64) - 1
MASK32 = (1 << 32) - 1


def mix(word):
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def hash_of(number):
    return mix((number + 0x9E3779B97F4A7C15) & MASK)


def rank(key, host):
    word = (((key ^ host) & MASK32) * ((host >> 32) | 1)) & MASK32
    word = ((word ^ (word >> 16)) * 0x85EBCA6B) & MASK32
    word = ((word ^ (word >> 13)) * 0xC2B2AE35) & MASK32
    return word ^ (word >> 16)


def ranked(key, hosts, weights):
    """Return all hosts of a key, the best first."""

    def weighed(number):
        return -weights[number] / math.log((rank(key, hosts[number]) + 0.5) / 2**32)

    return sorted(range(len(hosts)), key=lambda number: (-weighed(number), number))


def clockwise(key, points):
    """Return all hosts of a key as they come on a ring of sorted (point, host)."""
    start = bisect_left(points, (key, -1))
    return list(dict.fromkeys(host for _, host in points[start:] + points[:start]))


def first_with_room(preferences, room):
    """Go through keys' preferences in order; each takes its first host that has room."""
    room, chosen = list(room), []
    for hosts in preferences:
        chosen.append(next(host for host in hosts if room[host] > 0))
        room[chosen[-1]] -= 1
    return chosen


def jump(key, buckets):
    bucket, following = -1, 0
    while following < buckets:
        bucket = following
        key = (key * 2862933555777941757 + 1) & MASK
        following = int((bucket + 1) * (float(1 << 31) / float((key >> 33) + 1)))
    return bucket
