"""One self-contained HTML file that anybody can open: no script, no network, light and dark, printable.

Built as a tree of elements, so that no text can become markup.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from uuid import UUID
from xml.etree.ElementTree import Element, tostring

from crmshift.reports import words
from crmshift.validation.result import Accuracy, Check, Finding, Outcome, Validation

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
MOST_WORKSPACES = 12
NINES = ("0", "90", "99", "99.9", "99.99", "99.999", "100%")
"""Marks of the accuracy's scale: as far from one to the next as between 90 and 99, or nobody would see a row of a thousand."""


def render(validation: Validation) -> str:
    state = "clean" if validation.clean else "failed"
    page = _e("html", _head(validation), _e("body", *_body(validation, state)), lang="en")
    return "<!doctype html>\n" + tostring(page, encoding="unicode", method="html") + "\n"


def _head(validation: Validation) -> Element:
    style = Element("style")
    style.text = files("crmshift.reports").joinpath("page.css").read_text(encoding="utf-8")
    verdict = words.verdict(validation)
    return _e(
        "head",
        _e("meta", charset="utf-8"),
        _e("meta", http_equiv="Content-Security-Policy", content=POLICY),
        _e("meta", name="viewport", content="width=device-width, initial-scale=1"),
        _e("title", f"{validation.database}: {verdict} ({words.moment(validation.at)})"),
        style,
    )


def _body(validation: Validation, state: str) -> Iterator[Element]:
    yield _banner(validation, state)
    main = _e("main")
    if words.shows_values(validation):
        main.append(
            _e("p", "This report holds values of customers. Treat it as you treat them.", class_="confidential")
        )
    for sentence in validation.coverage:
        main.append(_e("p", sentence, class_="coverage"))
    if validation.accuracies:
        main.append(_accuracy(validation))
    drifted = [c for c in validation.checks if c.entity is not None]
    if any(c.count for c in drifted):
        main.append(_drift_by_entity(drifted))
    workspaces = sum((Counter(c.by_workspace) for c in drifted), Counter[UUID | None]())
    if workspaces:
        main.append(_drift_by_workspace(drifted, workspaces))
    main.append(_checks(validation))
    yield main
    yield _foot(validation)


# --- what it comes to ---------------------------------------------------------------------------------------------------


def _banner(validation: Validation, state: str) -> Element:
    mark = _e("span", "✓" if validation.clean else "✗", class_="mark", aria_hidden="true")
    whole = "" if validation.scope.complete else " of a part"
    headline = f"Validation{whole} {'passed' if validation.clean else 'failed'}"
    verdict = words.verdict(validation)
    facts = [
        ("Database", f"{validation.database}, PostgreSQL {validation.server}"),
        ("When", f"{words.moment(validation.at)}, {validation.seconds:,.1f} s"),
        ("Looked at", words.scope(validation.scope)),
        ("Checks", f"{len(validation.checks):,}"),
    ]
    if validation.number is not None:
        facts.append(("Stored as", f"validation {validation.number}"))
    if validation.plan is not None:
        facts.append(("Plan", validation.plan[:12]))
    return _e(
        "header",
        _e(
            "div",
            mark,
            _e("div", _e("h1", headline), _e("p", verdict[0].upper() + verdict[1:] + ".", class_="verdict")),
            class_="headline",
        ),
        _e("dl", *(_e("div", _e("dt", name), _e("dd", fact)) for name, fact in facts)),
        class_=state,
    )


# --- pictures -----------------------------------------------------------------------------------------------------------


def _accuracy(validation: Validation) -> Element:
    total = validation.accuracy
    said = f"{_agreeing(total)}; {words.threshold(validation)} must."
    return _e(
        "section",
        _e("h2", "Accuracy"),
        _e(
            "div",
            _e("strong", words.percent(total), class_="figure ok" if validation.accurate else "figure bad"),
            _e("p", said),
            class_="hero",
        ),
        *(_track(a, validation) for a in validation.accuracies),
        _scale(),
    )


def _track(accuracy: Accuracy, validation: Validation) -> Element:
    """How near an entity is to 100%, and where all together must be."""
    at, gate = _place(accuracy.percent), _place(validation.fail_under)
    shown = "ok" if accuracy.percent >= validation.fail_under else "warn" if validation.accurate else "bad"
    return _e(
        "div",
        _e("span", accuracy.entity.replace("_", " "), class_="name"),
        _e("span", words.percent(accuracy), class_=f"number {shown}"),
        _e(
            "svg",
            _e("line", x1="0%", x2="100%", y1="12", y2="12", class_="rail"),
            _e("line", x1="0%", x2=at, y1="12", y2="12", class_=f"run {shown}"),
            _e("line", x1=gate, x2=gate, y1="0", y2="24", class_="gate"),
            _e("circle", cx=at, cy="12", r="6", class_=shown),
            role="img",
            aria_label=f"{words.percent(accuracy)} of {accuracy.entity} agree",
        ),
        _e("span", _agreeing(accuracy), class_="remark"),
        class_="track",
    )


def _agreeing(accuracy: Accuracy) -> str:
    if not accuracy.rows:
        return "no rows"
    if accuracy.agreeing == accuracy.rows:
        return f"all {accuracy.rows:,} rows agree"
    return f"{accuracy.rows - accuracy.agreeing:,} of {accuracy.rows:,} rows do not agree"


def _scale() -> Element:
    marks = (_e("text", mark, x=f"{100 * i / (len(NINES) - 1):.1f}%", y="12") for i, mark in enumerate(NINES))
    return _e(
        "div",
        _e("span", class_="name"),
        _e("span", class_="number"),
        _e("svg", *marks, aria_hidden="true"),
        _e("span", "the bar marks what must agree in all", class_="remark"),
        class_="track scale",
    )


def _place(percent: float) -> str:
    """Where a percentage stands on the scale: a mark for each nine, and the end for 100 alone."""
    if percent >= 100:
        return "100%"
    nines = -math.log10(1 - percent / 100)
    return f"{100 * min(nines, 5.7) / (len(NINES) - 1):.2f}%"


def _drift_by_entity(drifted: list[Check]) -> Element:
    most = max(c.count for c in drifted)
    kinds = {kind for c in drifted for kind, _ in words.by_kind(c)}
    legend = [_e("span", _e("i", class_=k), said) for k, said in _MEANS.items() if k in kinds]
    return _e(
        "section",
        _e("h2", "Drift by entity"),
        _e("p", *legend, class_="legend"),
        *(_bar(c.entity or "", words.by_kind(c), most, words.kinds(c)) for c in drifted),
    )


_MEANS = {
    "missing": "missing: legacy has it, the lead-centric side does not",
    "extra": "extra: only the lead-centric side has it",
    "differs": "differing: columns do not agree",
}


def _bar(name: str, parts: list[tuple[str, int]], most: int, remark: str) -> Element:
    picture, x = _e("svg", role="img", aria_label=f"{name}: {remark or 'none'}"), 0.0
    picture.append(_e("rect", x="0", y="5", width="100%", height="14", rx="3", class_="rail"))
    for kind, n in parts:
        width = 100 * n / most
        shown = kind if kind in words.KINDS else "other"
        picture.append(_e("rect", x=f"{x:.3f}%", y="5", width=f"{width:.3f}%", height="14", class_=shown))
        x += width
    number = sum(n for _, n in parts)
    return _e(
        "div",
        _e("span", name.replace("_", " "), class_="name"),
        _e("span", f"{number:,}", class_="number"),
        picture,
        _e("span", remark, class_="remark"),
        class_="bar",
    )


def _drift_by_workspace(drifted: list[Check], workspaces: Counter[UUID | None]) -> Element:
    """The workspaces with most drift, and how it falls on the entities."""
    first = workspaces.most_common(MOST_WORKSPACES)
    bars = []
    for workspace, n in first:
        entities = [(c.entity or "", c.by_workspace.get(workspace, 0)) for c in drifted]
        remark = ", ".join(f"{entity.replace('_', ' ')} {m:,}" for entity, m in entities if m)
        bars.append(_bar(str(workspace or "no workspace"), [("all", n)], first[0][1], remark))
    section = _e("section", _e("h2", "Drift by workspace"), *bars, class_="workspaces")
    if len(workspaces) > len(first):
        others = workspaces.total() - sum(n for _, n in first)
        section.append(
            _e(
                "p",
                f"and {others:,} rows of {words.count(len(workspaces) - len(first), 'other workspace')}",
                class_="more",
            )
        )
    return section


# --- checks -------------------------------------------------------------------------------------------------------------


def _checks(validation: Validation) -> Element:
    ordered = words.by_gravity(validation)
    cards = [_card(c, validation.outcome(c)) for c in ordered if not c.passed]
    passed = [
        _e("li", _mark(Outcome.PASSED), _e("div", _e("b", c.name), _e("span", c.title))) for c in ordered if c.passed
    ]
    section = _e("section", _e("h2", "Checks"), *cards)
    if passed:
        section.append(_e("ul", *passed, class_="holding"))
    if not ordered:
        section.append(_e("p", "There are none: nothing was checked, and that is no pass."))
    return section


def _card(check: Check, outcome: Outcome) -> Element:
    card = _e(
        "article",
        _e("h3", _mark(outcome), _e("span", check.name), _e("em", words.found(check))),
        _e("p", words.must_hold(check)),
        class_=outcome,
    )
    if outcome is Outcome.WARNING:
        card.append(_e("p", "A warning: the verdict does not depend on it.", class_="soft"))
    if outcome is Outcome.TOLERATED:
        card.append(_e("p", "Tolerated: as many rows agree as must.", class_="soft"))
    if check.remedy:
        card.append(_e("p", _e("b", "What to do. "), check.remedy, class_="remedy"))
    if check.findings:
        card.append(_findings(check))
    return card


def _findings(check: Check) -> Element:
    listed = len(check.findings)
    said = (
        words.count(listed, "finding") if listed == check.count else f"The first {listed:,} of {check.count:,} findings"
    )
    return _e("details", _e("summary", said), _e("ul", *(_found(f) for f in check.findings)))


def _found(finding: Finding) -> Element:
    row = _e("li", _e("b", finding.subject), " ")
    if finding.key:
        row.append(_e("code", words.key(finding.key)))
    row.append(_e("span", finding.detail))
    row.extend(_e("code", line, class_="values") for line in words.values(finding))
    return row


def _mark(outcome: Outcome) -> Element:
    return _e("span", words.MARKS[outcome], class_=f"mark {outcome}", role="img", aria_label=outcome)


def _foot(validation: Validation) -> Element:
    privacy = (
        "This report shows values of customers, because --show-values was given."
        if words.shows_values(validation)
        else "This report shows keys and names of columns, and no value of a customer."
    )
    return _e(
        "footer",
        _e(
            "p",
            "Accuracy is the rows that agree in every mapped column, over all rows there are on either side, never rounded up. ",
            "Its scale gives every further nine the same room. ",
            privacy,
        ),
        _e("p", "Written by crmshift validate."),
    )


# --- elements -----------------------------------------------------------------------------------------------------------


def _e(tag: str, *inside: Element | str, **attributes: str) -> Element:
    """An element with its attributes (`class_`, `aria_label`: as Python can spell them), elements and texts."""
    made = Element(tag, {_spelled(name): words.visible(value) for name, value in attributes.items()})
    for part in inside:
        if isinstance(part, Element):
            made.append(part)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + words.visible(part)
        else:
            made.text = (made.text or "") + words.visible(part)
    return made


def _spelled(name: str) -> str:
    return name.rstrip("_").replace("_", "-")
