"""All cases, the quick ones first."""

from __future__ import annotations

from bench.case import Case
from bench.cases import history, leads, pages, phases, start_up, validation, writes
from bench.databases import Databases
from bench.scale import Scale


def cases(databases: Databases, scale: Scale) -> list[Case]:
    """Every case, on these databases, which are made when the case is first sampled."""
    return [
        *start_up.cases(),
        *writes.cases(databases, scale),
        *pages.cases(databases, scale),
        *phases.cases(databases, scale),
        *history.cases(databases, scale),
        *validation.cases(databases, scale),
        *leads.cases(databases, scale),
    ]
