"""Validations made by hand, for tests of what shows them: fixed, and as nasty as keys and values can be."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from crmshift.validation.result import Accuracy, Check, Finding, Scope, Severity, Validation

ACME, BETA = UUID("00000000-0000-0000-0000-0000000000a1"), UUID("00000000-0000-0000-0000-0000000000a2")

NASTY = (
    'O\'Neil "the" 2nd',
    "line one\nline two\r\ttabbed",
    "🦆 naïve — 名前",
    "::error title=x::no command, 100% sure",
    "##[error]no command either",
    "]]><failure/>&amp;&lt;",
    "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title = 'taken over'\">",
    "``` ```` | a | table\\| `` @everyone #1 https://example.org <!-- ",
    "\x00\x1b[31mred\x7f\u202eturned around\ufffe",
    "[bold]no markup[/bold]",
)
"""None of these may be taken for anything but text by whatever reads a report."""


EVERYTHING = Scope()
ALL_AGREE = (Accuracy("customer", 400_000, 400_000),)


def check(
    name: str,
    title: str,
    *findings: Finding,
    remedy: str = "",
    severity: Severity = Severity.ERROR,
    entity: str | None = None,
    by_kind: dict[str, int] | None = None,
    by_workspace: dict[UUID | None, int] | None = None,
    count: int | None = None,
    seconds: float = 0.25,
) -> Check:
    """A check that found as much as is given, or `count`."""
    found = len(findings) if count is None else count
    return Check(name, title, remedy, severity, entity, found, findings, by_kind or {}, by_workspace or {}, seconds)


def validation(
    *checks: Check, accuracies: tuple[Accuracy, ...] = ALL_AGREE, fail_under: float = 100, scope: Scope = EVERYTHING
) -> Validation:
    """A validation of a fixed day."""
    return Validation(
        number=17,
        at=datetime(2026, 3, 14, 3, 0, 59, tzinfo=UTC),
        database="crm",
        server="18.1",
        scope=scope,
        checks=checks,
        accuracies=accuracies,
        fail_under=fail_under,
        plan="4f0c2a91",
        ledger=42,
        seconds=12.5,
        compared=sum(a.rows for a in accuracies),
    )


EVERY_ROW = "Every row and column agrees with its mapping"
REPAIR = "crmshift validate --repair previews what it would change"

TRIGGERS = check("triggers_attached", "Every mapped table has its sync triggers, enabled")
QUEUE = check("sync_queue", "No key waits in the sync queue")
CUSTOMERS = check("drift_customers", EVERY_ROW, entity="customer", remedy=REPAIR, seconds=4.125)
LEADS = check(
    "drift_leads",
    EVERY_ROW,
    Finding("leads", {"id": str(ACME)}, "missing", "missing", (), ACME),
    Finding("leads", {"id": str(BETA)}, "differs: stg_id, disposition", "differs", ("stg_id", "disposition"), BETA),
    entity="lead",
    remedy=REPAIR,
    count=1_242,
    by_kind={"differs": 1_200, "missing": 40, "extra": 2},
    by_workspace={ACME: 1_000, BETA: 241, None: 1},
)
ACCURACIES = (
    Accuracy("customer", 400_000, 400_000),
    Accuracy("lead", 500_000, 498_758),
    Accuracy("custom_field", 2_000_000, 2_000_000),
    Accuracy("appointment", 0, 0),
)

CLEAN = validation(CUSTOMERS, TRIGGERS, QUEUE)
EMPTY = validation(accuracies=())
TOLERATED = validation(
    CUSTOMERS, LEADS, TRIGGERS, accuracies=ACCURACIES, fail_under=99.9, scope=Scope(ACME, sample=2.5, standby_lag=0.7)
)
NOT_CLEAN = validation(
    CUSTOMERS,
    LEADS,
    TRIGGERS,
    check(
        "nasty",
        "Nothing | here is *markup* <b>or</b> a ::command::, 100%",
        *(Finding(text, {"name": text, "n": 7}, f"found {text}") for text in NASTY),
        Finding("contacts", {"id": 1}, "differs: city", "differs", ("city",), values={"city": ("]]>" * 100, NASTY[6])}),
        remedy="Do nothing with <i>this</i>: `crmshift` --all, 100%",
        count=5_000,
    ),
    check(
        "unused_column",
        "Every column of legacy is carried over",
        Finding("contacts", {"column": "fax"}, "no mapping reads it"),
        severity=Severity.WARNING,
        remedy="map it, or list it as left behind",
    ),
    accuracies=ACCURACIES,
)
"""All there can be at once, values of customers included."""

ALL = {"clean": CLEAN, "empty": EMPTY, "tolerated": TOLERATED, "not_clean": NOT_CLEAN}
