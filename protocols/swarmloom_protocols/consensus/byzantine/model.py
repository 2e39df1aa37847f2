"""Model checking of the agreement: every schedule of a small group, every lie of its faulty ones.

The state of a correct replica is its view and, view by view, what it has accepted and committed;
all messages ever sent follow from it. Since every rule is monotone (`rules`), a rule that some
set of delivered messages allows is one that all messages together allow. So it is enough to fire
the rules one at a time, in every order, on everything sent so far and everything the faulty
replicas could send: votes for each value in each view, claims as far as they can prove them.
A rule that is not fired stands for messages that are late or lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from swarmloom.errors import InputError
from swarmloom_protocols.checks import rows, whole
from swarmloom_protocols.consensus.byzantine.rules import (
    Prepared,
    change_is_sound,
    is_quorum,
    primary,
    proposal_is_justified,
)

__all__ = ["ModelResult", "check_safety"]

_VALUES = ("a", "b")


class Slot(NamedTuple):
    """What a correct replica did in one view."""

    accepted: str = ""
    committed: bool = False


# A correct replica: one slot for each view that it has entered; the last is its present one.
Local = tuple[Slot, ...]
State = tuple[Local, ...]
Step = tuple[str, int, int, str]


class ModelResult(NamedTuple):
    """What a check found.

    Attributes
    ----------
    safe : bool
        No schedule lets two values be decided.
    states : int
        States looked at.
    counterexample : tuple of (str, int, int, str)
        Where it is not safe, the steps of correct replicas that lead there: what is done
        ("accept", "commit", "leave"), by which replica, in which view, with which value.
    """

    safe: bool
    states: int
    counterexample: tuple[Step, ...] = ()


def check_safety(n: int, faulty: Sequence[int], views: int = 2) -> ModelResult:
    """Search all schedules for one in which two values are decided.

    Parameters
    ----------
    n : int
        Replicas, from 1. Cost grows steeply: 4 replicas and 3 views, or 7 and 2, take seconds.
    faulty : sequence of int
        Replicas that do anything they like, together.
    views : int
        How many views there are at most, from 1.

    Returns
    -------
    ModelResult
    """
    whole("n", n, 1)
    whole("views", views, 1)
    if rows("faulty", faulty).max(initial=0) >= n:
        raise InputError(f"faulty: {list(faulty)}; replicas are 0 to {n - 1}")
    return _Search(n, frozenset(faulty), views).run()


class _Search:
    def __init__(self, n: int, faulty: frozenset[int], views: int) -> None:
        self.n, self.faulty, self.views = n, faulty, views
        self.correct = [replica for replica in range(n) if replica not in faulty]
        leaders = {primary(view, n) for view in range(views)}
        # Correct replicas that never lead are interchangeable.
        self.alike = [place for place, who in enumerate(self.correct) if who not in leaders]

    def run(self) -> ModelResult:
        start: State = ((Slot(),),) * len(self.correct)
        came_from: dict[State, State | None] = {start: None}
        queue = deque([start])
        while queue:
            state = queue.popleft()
            if len(self.decided(state)) > 1:
                return ModelResult(False, len(came_from), self.replayed(_path(came_from, state)))
            for _, after in self.steps(state):
                following = self.sorted(after)
                if following not in came_from:
                    came_from[following] = state
                    queue.append(following)
        return ModelResult(True, len(came_from))

    def sorted(self, state: State) -> State:
        """Stand for all states that differ by which interchangeable replica did what."""
        ordered = list(state)
        locals_ = sorted(state[place] for place in self.alike)
        for place, local in zip(self.alike, locals_, strict=True):
            ordered[place] = local
        return tuple(ordered)

    def replayed(self, path: Sequence[State]) -> tuple[Step, ...]:
        """Name the steps along a path of such states."""
        state, taken = path[0], []
        for target in path[1:]:
            step, state = next(
                (step, after) for step, after in self.steps(state) if self.sorted(after) == target
            )
            taken.append(step)
        return tuple(taken)

    def decided(self, state: State) -> set[str]:
        return {
            value
            for view in range(self.views)
            for value in _VALUES
            if is_quorum(self.voters(state, view, value, committed=True), self.n)
        }

    def voters(self, state: State, view: int, value: str, *, committed: bool) -> frozenset[int]:
        """Return whose votes for a value there can be: all liars', and what was sent."""
        return self.faulty | {
            who
            for who, local in zip(self.correct, state, strict=True)
            if len(local) > view
            and local[view].accepted == value
            and (local[view].committed or not committed)
        }

    def steps(self, state: State) -> Iterator[tuple[Step, State]]:
        for place, local in enumerate(state):
            for action, value, after in self.moves(state, place):
                step = (action, self.correct[place], len(local) - 1, value)
                yield step, (*state[:place], after, *state[place + 1 :])

    def moves(self, state: State, place: int) -> Iterator[tuple[str, str, Local]]:
        local = state[place]
        view, slot = len(local) - 1, local[-1]
        if len(local) < self.views:
            yield "leave", "", (*local, Slot())
        if slot.accepted and not slot.committed:
            voters = self.voters(state, view, slot.accepted, committed=False)
            if is_quorum(voters, self.n):
                yield "commit", slot.accepted, (*local[:-1], slot._replace(committed=True))
        if not slot.accepted:
            for value in _VALUES:
                if self.proposed(state, place, view, value):
                    yield "accept", value, (*local[:-1], Slot(value))

    def proposed(self, state: State, place: int, view: int, value: str) -> bool:
        """Tell whether a proposal of the view's primary can be there for a replica to accept."""
        leader = primary(view, self.n)
        if leader in self.faulty or leader == self.correct[place]:
            return self.justified(state, view, value)
        lead = state[self.correct.index(leader)]
        return len(lead) > view and lead[view].accepted == value

    def justified(self, state: State, view: int, value: str) -> bool:
        honest = {
            who: _claim(local, view)
            for who, local in zip(self.correct, state, strict=True)
            if len(local) > view
        }
        return any(
            proposal_is_justified(view, value, {**dict(some), **lies}, self.n)
            for size in range(len(honest) + 1)
            for some in combinations(honest.items(), size)
            for lies in self.lies(state, view, value)
        )

    def lies(self, state: State, view: int, value: str) -> Iterator[dict[int, Prepared]]:
        """List what the faulty can claim together: nothing, or what they can prove."""
        for claimed in (Prepared(), *(Prepared(before, value) for before in range(view))):
            voters = self.voters(state, claimed.view, value, committed=False)
            if change_is_sound(claimed, view, voters, self.n):
                yield dict.fromkeys(self.faulty, claimed)


def _claim(local: Local, view: int) -> Prepared:
    """Return what a correct replica had prepared when it left for a view."""
    done = [Prepared(v, slot.accepted) for v, slot in enumerate(local[:view]) if slot.committed]
    return max(done, default=Prepared())


def _path(came_from: dict[State, State | None], state: State) -> list[State]:
    path = [state]
    while (before := came_from[path[-1]]) is not None:
        path.append(before)
    return path[::-1]
