"""A trace store that keeps every deposit and goes through all of them at each reading."""

import math


class NaiveStore:
    def __init__(self):
        self.channels = {}
        self.deposits = []
        self.claims = {}
        self.boards = {}
        self.token = 0

    def channel(
        self, name, half_life=None, cap=None, agent_cap=None, floor=1e-9, expires_after=None
    ):
        self.channels[name] = (half_life, cap, agent_cap, floor, expires_after)

    # -- trails -------------------------------------------------------------------------------

    def deposit(self, key, channel, amount, agent, now):
        self.deposits.append((key, channel, amount, agent, now))
        return self.worth(key, channel, agent, None)[0]

    def worth(self, key, channel, agent, now):
        """Replay one agent's deposits in the order in which they came; decay step by step."""
        half_life, _, _, floor, expires_after = self.channels[channel]
        amount, latest, count = 0.0, None, 0
        for of_key, of_channel, added, who, when in self.deposits:
            if (of_key, of_channel, who) != (key, channel, agent):
                continue
            if latest is None or (expires_after is not None and when - latest > expires_after):
                amount, latest, count = added, when, 1
                continue
            newest = max(latest, when)
            amount *= self.share(newest - latest, half_life)
            amount += added * self.share(newest - when, half_life)
            latest, count = newest, count + 1
        if now is not None and latest is not None:
            if expires_after is not None and now - latest > expires_after:
                return 0.0, latest, 0
            amount *= self.share(max(0.0, now - latest), half_life)
            if amount < floor:
                return 0.0, latest, 0
        return amount, latest, count

    def share(self, age, half_life):
        return 1.0 if half_life is None else math.exp(-age * math.log(2.0) / half_life)

    def sense(self, key, channel, now, trust):
        _, cap, agent_cap, _, _ = self.channels[channel]
        value, evidence, last, by_agent = 0.0, 0, None, {}
        for agent in sorted({deposit[3] for deposit in self.deposits}):
            amount, latest, count = self.worth(key, channel, agent, now)
            if amount == 0.0:
                continue
            by_agent[agent] = amount
            value += trust.get(agent, trust.get("*", 1.0)) * min(amount, agent_cap or math.inf)
            evidence += count
            last = latest if last is None else max(last, latest)
        return min(value, cap or math.inf), evidence, last, by_agent

    # -- claims: (agent, token, end, result), or None for a task that waits -----------------------

    def take(self, place, key, agent, now, ttl):
        held = place.get(key)
        if held is not None and (held[3] is not None or held[2] > now):
            return None
        self.token += 1
        place[key] = (agent, self.token, now + ttl, None)
        return self.token

    def next(self, board, agent, now, ttl):
        place = self.boards.setdefault(board, {})
        for key in place:
            token = self.take(place, key, agent, now, ttl)
            if token is not None:
                return key, token
        return None

    def change(self, place, key, token, change):
        held = place.get(key)
        if held is None or held[1] != token:
            return False
        if held[3] is not None:
            return change == "finish"
        if change == "release":
            place[key] = None
        elif change == "finish":
            place[key] = (*held[:3], "done")
        else:
            place[key] = (held[0], token, change, None)
        return True

    def counts(self, board, now):
        tasks = list(self.boards.get(board, {}).values())
        done = sum(task is not None and task[3] is not None for task in tasks)
        held = sum(task is not None and task[3] is None and task[2] > now for task in tasks)
        return len(tasks) - done - held, held, done
