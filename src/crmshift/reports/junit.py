"""JUnit XML: a test case for each check. A warning is no failure."""

from __future__ import annotations

from datetime import UTC
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from crmshift.reports import words
from crmshift.validation.result import Check, Outcome, Validation


def render(validation: Validation) -> str:
    """One test suite. Nothing compared is a failure of its own, for a suite without one passes with every reader."""
    failed = [c for c in validation.checks if validation.outcome(c) is Outcome.FAILED]
    nothing = not failed and not validation.clean
    suite = Element(
        "testsuite",
        name="crmshift validate",
        tests=str(len(validation.checks) + nothing),
        failures=str(len(failed) + nothing),
        errors="0",
        skipped="0",
        time=f"{validation.seconds:.3f}",
        timestamp=f"{validation.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
    )
    properties = SubElement(suite, "properties")
    for name, value in _properties(validation):
        SubElement(properties, "property", name=name, value=words.visible(value))
    for check in validation.checks:
        _case(suite, validation, check)
    if nothing:
        case = SubElement(suite, "testcase", classname="crmshift.validate", name="something_compared", time="0.000")
        SubElement(case, "failure", message=words.verdict(validation), type="error")
    indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _properties(validation: Validation) -> list[tuple[str, str]]:
    properties = [
        ("verdict", words.verdict(validation)),
        ("scope", words.scope(validation.scope)),
        ("database", validation.database),
        ("server", validation.server),
        ("fail_under", words.threshold(validation)),
    ]
    if validation.coverage:
        properties.append(("coverage", " ".join(validation.coverage)))
    if validation.number is not None:
        properties.append(("validation", str(validation.number)))
    if validation.accuracies:
        properties.append(("accuracy", words.percent(validation.accuracy)))
    return properties + [(f"accuracy.{a.entity}", words.percent(a)) for a in validation.accuracies]


def _case(suite: Element, validation: Validation, check: Check) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname="crmshift.validate",
        name=words.visible(check.name),
        time=f"{check.seconds:.3f}",
    )
    outcome = validation.outcome(check)
    said = f"{words.found(check)}. {words.must_hold(check)}"
    lines = [said, *([f"Do: {words.visible(check.remedy)}"] if check.remedy else []), "", *words.findings(check)]
    if outcome is Outcome.FAILED:
        SubElement(case, "failure", message=said, type=check.severity).text = "\n".join(lines)
    elif outcome is not Outcome.PASSED:
        SubElement(case, "system-out").text = "\n".join([f"{outcome}: {lines[0]}", *lines[1:]])
