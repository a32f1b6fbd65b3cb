"""A validation as the fields of a JSON document; docs/schema/validation-1.schema.json describes it."""

from __future__ import annotations

from typing import Any

from crmshift.validation.result import Accuracy, Check, Finding, Validation


def as_json(validation: Validation) -> dict[str, Any]:
    """The validation, without what every command's document has."""
    scope = validation.scope
    return {
        "validation": validation.number,
        "at": validation.at.isoformat(),
        "database": validation.database,
        "server": validation.server,
        "scope": {
            "workspace": str(scope.workspace) if scope.workspace else None,
            "since": scope.since,
            "sample_percent": scope.sample,
            "standby_lag_seconds": scope.standby_lag,
        },
        "complete": scope.complete,
        "coverage": list(validation.coverage),
        "clean": validation.clean,
        "fail_under": validation.fail_under,
        "accuracy": _accuracy(validation.accuracy),
        "compared": validation.compared,
        "outstanding": validation.outstanding,
        "entities": [{"entity": a.entity, **_accuracy(a)} for a in validation.accuracies],
        "checks": [_check(validation, c) for c in validation.checks],
        "plan": validation.plan,
        "ledger": validation.ledger,
        "seconds": round(validation.seconds, 3),
    }


def _accuracy(accuracy: Accuracy) -> dict[str, Any]:
    return {"rows": accuracy.rows, "agreeing": accuracy.agreeing, "percent": accuracy.percent}


def _check(validation: Validation, check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "title": check.title,
        "severity": check.severity,
        "entity": check.entity,
        "passed": check.passed,
        "outcome": validation.outcome(check),
        "count": check.count,
        "by_kind": check.by_kind,
        "by_workspace": [
            {"workspace": str(workspace) if workspace else None, "count": n}
            for workspace, n in check.by_workspace.items()
        ],
        "remedy": check.remedy,
        "findings": [_finding(f) for f in check.findings],
        "seconds": round(check.seconds, 3),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    found: dict[str, Any] = {
        "subject": finding.subject,
        "key": finding.key,
        "detail": finding.detail,
        "kind": finding.kind,
        "columns": list(finding.columns),
        "workspace": str(finding.workspace) if finding.workspace else None,
    }
    if finding.values is not None:
        found["values"] = {c: {"expected": expected, "found": there} for c, (expected, there) in finding.values.items()}
    return found
