"""Puts steps in order: each after those it needs, short locks together, and what takes long outside of transactions."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from crmshift.compare.ddl.whereabouts import Action, Key, Step
from crmshift.compare.model import Kind


def in_order(steps: Sequence[Step]) -> list[Step]:
    """Steps in an order in which they can be taken. A circle is cut where it is entered."""
    waiting = {s.key: set(s.after) for s in steps}
    by_key = {s.key: s for s in steps}
    needed_by: dict[Key, list[Key]] = {}
    for s in steps:
        for key in s.after:
            needed_by.setdefault(key, []).append(s.key)
    ranked = {s.key: _rank(s) for s in steps}
    ready = [(ranked[k], k) for k, after in waiting.items() if not after]
    heapq.heapify(ready)
    ordered: list[Step] = []
    while waiting:
        if not ready:
            key = min(waiting, key=lambda k: (len(waiting[k]), ranked[k]))
        else:
            _, key = heapq.heappop(ready)
        if key not in waiting:
            continue
        del waiting[key]
        ordered.append(by_key[key])
        for other in needed_by.get(key, ()):
            if other in waiting:
                waiting[other].discard(key)
                if not waiting[other]:
                    heapq.heappush(ready, (ranked[other], other))
    return ordered


def _rank(step: Step) -> tuple[int, int, bool, tuple[str, str, int, str], int]:
    """What comes first of two steps that do not need each other."""
    action, identity = step.key
    transactional = all(s.transactional for s in step.statements)
    if identity.kind is Kind.DEFAULT_PRIVILEGES and action is not Action.DROP:
        first = 3  # they would be given on what is made after them
    elif identity.kind is Kind.ENUM and not transactional:
        first = 0
    else:
        first = 1 if transactional else 2
    rough = Action.MAKE if action is Action.ALTER else action
    return (first, rough, identity.kind is Kind.TRIGGER, identity.sort_key, action)
