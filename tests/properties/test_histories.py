from __future__ import annotations

import os
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.histories import Histories
from tests.properties.stage import Stage


def test_whatever_applications_do_crmshift_keeps_its_promises(make_database: Callable[[str], str]) -> None:
    if os.environ.get("ONE"):
        import hypothesis.internal.conjecture.engine as e

        e.MAX_SHRINKING_SECONDS = 75
    with Stage(make_database("parallel")) as stage:
        played = settings(
            max_examples=int(os.environ.get("CRMSHIFT_HISTORIES", "100")),
            stateful_step_count=20,
            deadline=None,
            print_blob=True,
            phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
            report_multiple_bugs=not os.environ.get('ONE'),
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(type("Histories", (Histories,), {"stage": stage}), settings=played)
