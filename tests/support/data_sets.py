"""The real data sets, each a template database of legacy rows; where they are absent, tests that need them say so.

legacy → data_<folder>
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crmshift.demo.load import load_folder
from tests.support.databases import register_template

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("CRMSHIFT_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
FOLDERS = sorted(path.parent.name for path in DATA.glob("*/contacts.csv"))


def _load(folder: Path) -> Callable[[str], None]:
    def build(dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            load_folder(connection, folder)
            connection.execute("vacuum analyze")

    return build


for name in FOLDERS:
    register_template(f"data_{name}", base="legacy", build=_load(DATA / name))


def needs(folder: str) -> pytest.MarkDecorator:
    """Skips a test where this data set is not there."""
    return pytest.mark.skipif(folder not in FOLDERS, reason=f"no {folder} in {DATA}: set CRMSHIFT_TEST_DATA")


def each() -> list[Any]:
    """All data sets, for `parametrize`; one that is skipped where there are none."""
    return list(FOLDERS) or [pytest.param("none", marks=needs("data sets"))]
