"""Every report of a validation: as it was, as its readers take it, and never taken over by what it shows.

After a change that is meant: CRMSHIFT_UPDATE_GOLDEN=1 pytest tests/unit/test_reports.py
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from junitparser import JUnitXml, TestSuite
from markdown_it import MarkdownIt
from rich.console import Console

from crmshift.cli.output import print_json
from crmshift.cli.validation_output import print_validation
from crmshift.errors import ExitStatus, UsageError
from crmshift.reports import github, html, junit, markdown, report, words
from crmshift.reports.document import as_json
from crmshift.validation.result import Accuracy, Finding, Outcome, Scope, Severity, Validation
from tests.support import validations
from tests.support.validations import ALL, CLEAN, EMPTY, LEADS, NASTY, NOT_CLEAN, TOLERATED, check, validation

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "reports"
SCHEMA = json.loads((ROOT / "docs" / "schema" / "validation-1.schema.json").read_text(encoding="utf-8"))

every_validation = pytest.mark.parametrize("result", ALL.values(), ids=ALL)


def text(result: Validation, width: int = 200) -> str:
    written = io.StringIO()
    print_validation(Console(file=written, width=width, highlight=False, force_terminal=width < 200), result)
    return re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue())


def document(result: Validation) -> str:
    """What the command prints."""
    status = ExitStatus.OK if result.clean else ExitStatus.NO
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdout", written := io.StringIO())
        print_json("validate", status, as_json(result), ["crmshift status"])
    return written.getvalue()


def page_without_style(result: Validation) -> str:
    return re.sub(r"<style>.*?</style>", "<style></style>", html.render(result), flags=re.S)


FORMATS: dict[str, Callable[[Validation], str]] = {
    "txt": text,
    "80.txt": lambda result: text(result, 80),
    "json": document,
    "xml": junit.render,
    "md": markdown.render,
    "github": lambda result: "".join(f"{line}\n" for line in github.commands(result)),
    "html": page_without_style,
}


@pytest.mark.parametrize("form", FORMATS)
@every_validation
def test_is_the_golden_one(result: Validation, form: str, request: pytest.FixtureRequest) -> None:
    name = next(n for n, r in ALL.items() if r is result)
    golden = GOLDEN / f"{name}.{form}"
    found = "\n".join(line.rstrip() for line in FORMATS[form](result).split("\n"))
    if os.environ.get("CRMSHIFT_UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8"), "meant? then: CRMSHIFT_UPDATE_GOLDEN=1"


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_unseen_gets_through(form: str) -> None:
    """No control character but the ends of lines, nothing that turns the text around."""
    found = FORMATS[form](NOT_CLEAN)
    if form == "json":
        found = re.sub(r"[\x7f\u202e\ufffe]", "", found)  # not looked at by people; JSON escapes those below 32
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", found)


@pytest.mark.parametrize("form", FORMATS)
def test_values_only_where_findings_carry_them(form: str) -> None:
    """The columns that differ are named in any case."""
    secret = Finding("contacts", {"id": 1}, "differs: city", "differs", ("city",), values={"city": ("Rome", "Oslo")})
    shown = FORMATS[form](validation(check("drift_customers", "Equal", secret, entity="customer")))
    hidden = FORMATS[form](
        validation(check("drift_customers", "Equal", replace(secret, values=None), entity="customer"))
    )
    assert "Rome" not in hidden
    assert "Oslo" not in hidden
    if form != "github":  # where annotations are for checks, never for rows
        assert "Rome" in shown and "Oslo" in shown
        assert "city" in hidden


# --- the words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "agreeing", "said"),
    [
        (0, 0, "100%"),
        (3, 3, "100%"),
        (3, 2, "66.666%"),
        (1_000_000, 999_999, "99.999%"),
        (10**12, 10**12 - 1, "99.999%"),
        (7, 0, "0.000%"),
    ],
)
def test_accuracy_is_never_rounded_up(rows: int, agreeing: int, said: str) -> None:
    assert words.percent(Accuracy("lead", rows, agreeing)) == said


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (Scope(), "all workspaces, every row"),
        (Scope(validations.ACME), f"workspace {validations.ACME}, every row"),
        (Scope(sample=0.5), "all workspaces, only a sample of 0.5% of the keys"),
        (Scope(since=7), "all workspaces, only what was written since validation 7"),
    ],
)
def test_every_report_says_what_was_left_out(scope: Scope, said: str) -> None:
    result = replace(CLEAN, scope=scope)
    assert words.scope(scope) == said
    for form in ("txt", "xml", "md", "html"):
        shown = FORMATS[form](result)
        assert said in shown, form
        assert all(sentence in shown for sentence in result.coverage), form
    assert json.loads(document(result))["coverage"] == list(result.coverage)
    headline = "Validation passed<" if scope.complete else "Validation of a part passed<"
    assert headline in html.render(result)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("missing", 'expected "Rome"'), ("extra", "found null"), ("differs", 'expected "Rome", found null')],
)
def test_values_are_of_the_sides_that_have_the_row(kind: str, said: str) -> None:
    finding = Finding("leads", {"id": 1}, kind, kind, values={"city": ("Rome", None)})
    assert list(words.values(finding)) == [f"city: {said}"]


@pytest.mark.parametrize(
    ("by_kind", "said"),
    [
        ({}, "1,242 found"),
        ({"differs": 1_242, "extra": 0}, "1,242 differing"),
        ({"differs": 1_200, "missing": 42}, "1,242 found: 42 missing, 1,200 differing"),
    ],
)
def test_how_much_was_found(by_kind: dict[str, int], said: str) -> None:
    assert words.found(check("drift_leads", "Equal", count=1_242, by_kind=by_kind)) == said


def test_what_a_check_means_for_the_verdict() -> None:
    """One that compares rows is judged by accuracy where fewer than all must agree; any other by itself."""
    found = Finding("leads", {"id": 1}, "missing", "missing")
    drift = check("drift_leads", "Equal", found, entity="lead")
    other = check("orphans", "None", found)
    warning = check("unused", "None", found, severity=Severity.WARNING)

    def outcomes(must: float, rows: int, *checks: Any) -> tuple[list[Outcome], bool]:
        made = validation(*checks, accuracies=(Accuracy("lead", rows, rows - 1),), fail_under=must)
        return [made.outcome(c) for c in checks], made.clean

    assert outcomes(100, 1000, drift) == ([Outcome.FAILED], False)
    assert outcomes(99.9, 1000, drift, warning) == ([Outcome.TOLERATED, Outcome.WARNING], True)
    assert outcomes(99.9, 999, drift, warning) == ([Outcome.FAILED, Outcome.WARNING], False)
    assert outcomes(99.9, 1000, drift, other) == ([Outcome.TOLERATED, Outcome.FAILED], False)
    assert validation(warning).clean
    assert not EMPTY.clean


# --- the table ----------------------------------------------------------------------------------------------------------


def test_the_last_line_is_the_verdict() -> None:
    for result in ALL.values():
        assert text(result).rstrip().splitlines()[-1].startswith(words.verdict(result))


def test_a_pipe_gets_each_finding_on_one_line() -> None:
    lines = text(NOT_CLEAN).splitlines()
    for line in words.findings(NOT_CLEAN.checks[3]):
        assert f"  {line}" in lines


# --- JSON ---------------------------------------------------------------------------------------------------------------


def closed(schema: Any) -> Any:
    """The schema, allowing nothing that it does not name: what is not documented is found."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(part) for name, part in schema.items()}
    return {**made, "additionalProperties": False} if isinstance(schema.get("required"), list) else made


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@every_validation
def test_the_document_is_what_its_schema_says_and_no_more(result: Validation) -> None:
    found = json.loads(document(result))
    errors = list(
        Draft202012Validator(closed(SCHEMA), format_checker=Draft202012Validator.FORMAT_CHECKER).iter_errors(found)
    )
    assert not errors
    assert found["clean"] == result.clean == (found["exit_code"] == 0)


def test_the_schema_notices() -> None:
    """What is missing, misspelt or of another type."""
    judge = Draft202012Validator(closed(SCHEMA))
    good = json.loads(document(NOT_CLEAN))
    assert judge.is_valid(good)
    assert not judge.is_valid({**good, "more": 1})
    assert not judge.is_valid({**good, "clean": "no"})
    assert not judge.is_valid({k: v for k, v in good.items() if k != "scope"})
    assert not judge.is_valid({**good, "checks": [{**good["checks"][0], "severity": "fatal"}]})


def test_keys_come_through_json_unharmed() -> None:
    checks = json.loads(document(NOT_CLEAN))["checks"]
    nasty = next(c for c in checks if c["name"] == "nasty")
    assert [f["key"]["name"] for f in nasty["findings"][: len(NASTY)]] == list(NASTY)


# --- JUnit --------------------------------------------------------------------------------------------------------------


def read_junit(result: Validation, folder: Path) -> TestSuite:
    path = folder / "junit.xml"
    path.write_text(junit.render(result), encoding="utf-8")
    [suite] = JUnitXml.fromfile(str(path))
    return suite


@every_validation
def test_a_junit_reader_counts_what_failed(result: Validation, tmp_path: Path) -> None:
    suite = read_junit(result, tmp_path)
    cases = list(suite)
    failed = [c.name for c in cases if any(type(r).__name__ == "Failure" for r in c.result)]
    assert failed == [c.name for c in result.checks if result.outcome(c) is Outcome.FAILED] or result is EMPTY
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (len(cases), len(failed), 0, 0)
    assert (not failed) == result.clean, "a pipeline that reads the report gates as one that reads the exit status"
    assert {p.name: p.value for p in suite.properties()}["verdict"] == words.verdict(result)
    suite.update_statistics()
    assert (suite.tests, suite.failures, suite.errors) == (len(cases), len(failed), 0)


def test_a_failure_says_what_and_what_to_do(tmp_path: Path) -> None:
    cases = {c.name: c for c in read_junit(NOT_CLEAN, tmp_path)}
    [failure] = cases["drift_leads"].result
    assert failure.type == "error"
    assert failure.message.startswith("1,242 found: 40 missing, 2 extra, 1,200 differing. Must hold: Every row")
    assert f"Do: {validations.REPAIR}" in failure.text
    assert f"leads  id={validations.BETA}  differs: stg_id, disposition" in failure.text
    assert cases["drift_leads"].time == 0.25
    [nasty] = cases["nasty"].result
    for finding in NOT_CLEAN.checks[3].findings:
        assert words.key(finding.key) in nasty.text


def test_warnings_are_no_failures(tmp_path: Path) -> None:
    cases = {c.name: c for c in read_junit(NOT_CLEAN, tmp_path)}
    assert not cases["unused_column"].result
    assert cases["unused_column"].system_out.startswith("warning: 1 found")
    tolerated = {c.name: c for c in read_junit(TOLERATED, tmp_path)}
    assert not tolerated["drift_leads"].result
    assert tolerated["drift_leads"].system_out.startswith("tolerated: 1,242 found")


# --- Markdown and GitHub ------------------------------------------------------------------------------------------------


@every_validation
def test_a_markdown_reader_finds_nothing_but_text_in_what_was_found(result: Validation) -> None:
    tokens = MarkdownIt("commonmark", {"linkify": False}).enable("table").parse(markdown.render(result))
    found = [c for c in words.by_gravity(result) if not c.passed]
    fences = [t.content for t in tokens if t.type == "fence"]
    assert fences == ["\n".join(words.findings(c)) + "\n" for c in found]
    assert not [t for t in tokens if t.type == "html_block"]
    inside = {child.type for t in tokens for child in t.children or ()}
    assert inside <= {"text", "strong_open", "strong_close", "code_inline", "softbreak", "text_special"}
    assert len([t for t in tokens if t.type == "heading_open"]) == 1 + len(found)
    cells = [t.children for t in tokens if t.type == "inline" and t.level == 4]  # of the tables
    rows = [t for t in tokens if t.type == "tr_open"]
    assert len(cells) == 4 * len(rows)


def test_nothing_found_ends_its_block_early() -> None:
    evil = check("evil", "Holds", Finding("`````", None, ""), Finding("# no heading", None, "here"))
    tokens = MarkdownIt("commonmark").parse(markdown.render(validation(evil)))
    assert [t.content for t in tokens if t.type == "fence"] == ["`````\n# no heading  here\n"]


def unescaped(line: str) -> tuple[str, str, str]:
    """A workflow command as GitHub's runner reads it: command, title, message."""
    command = re.fullmatch(r"::(\w+) title=([^:,]*)::([^\r\n]*)", line)
    assert command, line

    def back(part: str) -> str:
        for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            part = part.replace(code, character)
        return part

    return command[1], back(command[2]), back(command[3])


@every_validation
def test_one_annotation_for_each_check_and_none_for_rows(result: Validation) -> None:
    commands = [unescaped(line) for line in github.commands(result)]
    found = [c for c in words.by_gravity(result) if not c.passed]
    if result is not EMPTY:
        assert [title for _, title, _ in commands] == [f"crmshift validate: {c.name}" for c in found]
    assert any(command == "error" for command, _, _ in commands) == (not result.clean)
    for check_, (_, _, message) in zip(found, commands, strict=result is not EMPTY):
        assert check_.remedy in message
        assert check_.title in message


def test_a_name_cannot_end_an_annotation_early() -> None:
    evil = check("a,b::c%\n::error::d", "t\r\n::warning::100%0A", Finding("s", None, "d"), remedy="%0D%25")
    [line] = github.commands(validation(evil))
    assert unescaped(line) == (
        "error",
        "crmshift validate: a,b::c%\\n::error::d",
        "1 found. Must hold: t\\r\\n::warning::100%0A.\nDo: %0D%25",
    )


def test_a_summary_keeps_within_its_limit_and_says_what_it_left_out() -> None:
    long = Finding("leads", {"id": 1}, "🦆" * 2_000)
    many = validation(*(check(f"check_{n}", "Holds", *([long] * 20)) for n in range(40)))
    whole = markdown.render(many)
    assert len(whole.encode()) > github.SUMMARY_LIMIT
    cut = markdown.render(many, github.SUMMARY_LIMIT)
    assert len(cut.encode()) <= github.SUMMARY_LIMIT
    shown = re.findall(r"^### ✗ (check_\d+)", cut, re.M)
    left_out = re.search(r"^Left out, for there is no room: what (.*) found\.$", cut, re.M)
    assert left_out
    assert [*shown, *left_out[1].split(", ")] == [c.name for c in many.checks]
    assert len(shown) > 5
    assert cut.count("```") % 2 == 0
    assert "Left out" not in markdown.render(NOT_CLEAN, github.SUMMARY_LIMIT)
    assert markdown.render(many, 300).startswith("**crmshift validate: not clean")
    assert markdown.render(many, 10) == ""


# --- HTML ---------------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The elements of a page, their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@every_validation
def test_a_page_holds_nothing_that_runs_or_is_fetched(result: Validation) -> None:
    page = Page(html.render(result))
    assert not page.elements & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "a",
        "use",
        "image",
    }
    assert not {a for a in page.attributes if a.startswith("on")} | (
        page.attributes & {"src", "href", "style", "srcset"}
    )
    assert "url(" not in page.text and "@import" not in page.text
    assert html.POLICY.startswith("default-src 'none'")


def test_a_page_shows_every_key() -> None:
    page = Page(html.render(NOT_CLEAN))
    for finding in NOT_CLEAN.checks[3].findings:
        assert words.key(finding.key) in page.text


def test_the_pictures_are_as_long_as_their_numbers() -> None:
    found = html.render(NOT_CLEAN)
    widths = [float(w) for w in re.findall(r'<rect x="[\d.]+%" y="5" width="([\d.]+)%"', found)]
    assert widths[:3] == pytest.approx([100 * n / 1_242 for n in (40, 2, 1_200)], abs=0.001)
    assert widths[3:] == pytest.approx([100, 24.1, 0.1], abs=0.001)


@pytest.mark.parametrize(
    ("percent", "place"), [(0, 0), (90, 100 / 6), (99, 200 / 6), (99.9, 50), (100, 100), (99.9999999999, 95)]
)
def test_a_scale_that_gives_every_nine_its_room(percent: float, place: float) -> None:
    assert float(html._place(percent).rstrip("%")) == pytest.approx(place, abs=0.01)


def test_workspaces_beyond_the_first_are_counted() -> None:
    from uuid import UUID

    many = replace(LEADS, count=20 * 21 // 2, by_workspace={UUID(int=n): n for n in range(1, 21)})
    page = Page(html.render(validation(many)))
    assert "and 36 rows of 8 other workspaces" in page.text  # 1 + 2 + … + 8
    assert "36 in 8 more" not in text(validation(many))
    assert f"{sum(range(1, 16))} in 15 more" in text(validation(many))


# --- writing them -------------------------------------------------------------------------------------------------------


def test_reports_are_written_whole_and_readable(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("of yesterday")
    wanted = [f"junit={tmp_path}/a.xml", f"markdown={tmp_path}/b.md", f"html={tmp_path}/c=1.html"]
    reports = report.requested(wanted)
    assert [p.name for p in tmp_path.iterdir()] == ["b.md"], "asking leaves no trace"
    report.write(reports, NOT_CLEAN)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.xml", "b.md", "c=1.html"]
    assert (tmp_path / "b.md").read_text(encoding="utf-8") == markdown.render(NOT_CLEAN)
    probe = tmp_path / "probe"
    probe.touch()
    assert {p.stat().st_mode for p in tmp_path.iterdir()} == {probe.stat().st_mode}, "as any file made here"


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "dated.xml").touch()
    (tmp_path / "latest.xml").symlink_to("dated.xml")
    report.write(report.requested([f"junit={tmp_path}/latest.xml"]), CLEAN)
    assert (tmp_path / "latest.xml").is_symlink()
    assert (tmp_path / "dated.xml").read_text(encoding="utf-8") == junit.render(CLEAN)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["pdf=a.pdf"], "--report pdf=a.pdf: expected junit=FILE, markdown=FILE, html=FILE or github."),
        (["junit"], "expected junit=FILE"),
        (["junit="], "expected junit=FILE"),
        (["github=a"], "expected junit=FILE"),
        (["junit=none/a.xml"], "none/a.xml cannot be written: No such file or directory"),
        (["junit=."], "it is not a regular file"),
        (["junit=/dev/null"], "it is not a regular file"),
        (["junit=same", "html=./same"], "is asked for twice"),
        (["junit=file/a.xml"], "cannot be written: Not a directory"),
    ],
)
def test_reports_that_cannot_be_are_told_at_once(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as raised:
        report.requested(options)
    assert said in raised.value.message
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_fails_half_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = report.requested([f"html={tmp_path}/a.html"])
    (tmp_path / "a.html").write_text("of yesterday")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match=r"a\.html cannot be written: No space left on device"):
        report.write(reports, CLEAN)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.html", "of yesterday")]


def test_the_summary_is_added_to_what_the_step_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv(github.SUMMARY_VARIABLE, str(summary))
    report.write(report.requested(["github"]), NOT_CLEAN)
    assert summary.read_text(encoding="utf-8") == "before\n" + markdown.render(NOT_CLEAN)
    shown = capsys.readouterr()
    assert shown.err.splitlines() == github.commands(NOT_CLEAN)
    assert not shown.out, "standard output is for the answer"

    summary.write_bytes(b"x" * (github.SUMMARY_LIMIT - 700))
    report.write(report.requested(["github"]), NOT_CLEAN)
    assert github.SUMMARY_LIMIT - 700 < summary.stat().st_size <= github.SUMMARY_LIMIT

    monkeypatch.delenv(github.SUMMARY_VARIABLE)
    report.write(report.requested(["github"]), CLEAN)
    assert capsys.readouterr().err == "".join(f"{line}\n" for line in github.commands(NOT_CLEAN))


def test_a_summary_that_cannot_be_written_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(github.SUMMARY_VARIABLE, str(tmp_path / "none" / "summary.md"))
    with pytest.raises(UsageError, match="--report github"):
        report.requested(["github"])
