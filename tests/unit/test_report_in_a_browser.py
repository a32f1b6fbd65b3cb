"""The HTML report in a real browser: it shows the verdict, runs nothing, and fits a phone."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from crmshift.reports.html import render
from tests.support.validations import ALL, NASTY, NOT_CLEAN

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here (apt-get install chromium)"),
]


def shown(page: str, folder: Path) -> str:
    """The document as it stands after the browser has loaded it and run what it would run."""
    assert BROWSER is not None
    (folder / "page.html").write_text(page, encoding="utf-8")
    ran = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"),
            *("--virtual-time-budget=2000", "--dump-dom", (folder / "page.html").as_uri()),
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    return ran.stdout


def title(dom: str) -> str:
    found = re.search(r"<title>(.*?)</title>", dom, re.S)
    assert found, dom[:1000]
    return html.unescape(found[1])


@pytest.mark.parametrize("name", ["clean", "not_clean"])
def test_it_shows_the_verdict(name: str, tmp_path: Path) -> None:
    dom = shown(render(ALL[name]), tmp_path)
    headline = re.search(r"<h1>(.*?)</h1>", dom)
    assert headline and headline[1].startswith("Validation passed" if ALL[name].clean else "Validation failed")


def test_no_script_runs(tmp_path: Path) -> None:
    """Not from a key, and not if a key became markup, for the page forbids it."""
    page = render(NOT_CLEAN)
    assert title(shown(page, tmp_path)).startswith("crm: not clean")

    broken = page.replace("<main>", f"<main>{''.join(NASTY)}")
    assert title(shown(broken, tmp_path)).startswith("crm: not clean")

    without_policy = re.sub(r"<meta http-equiv[^>]*>", "", broken)
    assert title(shown(without_policy, tmp_path)) == "taken over", "or this test would see nothing"


@pytest.mark.parametrize("name", ALL)
def test_it_fits(name: str, tmp_path: Path) -> None:
    """Nothing sticks out to the side, on a phone, a tablet or a desk, with everything unfolded."""
    page = html.escape(render(ALL[name]).replace("<details>", "<details open>"))
    widths = (320, 390, 768, 930, 1280)
    frames = "".join(f'<iframe width="{width}" height="900" srcdoc="{page}"></iframe>' for width in widths)
    measured = """<script>onload = () => {
        const pages = [...document.querySelectorAll('iframe')].map(frame => frame.contentDocument.documentElement)
        document.title = pages.map(page => page.scrollWidth + ' in ' + page.clientWidth).join()
    }</script>"""
    found = title(shown(f"<title>-</title>{frames}{measured}", tmp_path)).split(",")
    assert len(found) == len(widths)
    for width, said in zip(widths, found, strict=True):
        needed, given = map(int, said.split(" in "))
        assert 0 < needed <= given <= width, found
