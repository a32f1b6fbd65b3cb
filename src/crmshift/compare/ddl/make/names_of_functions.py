"""Functions as PostgreSQL prints them, with their arguments."""

from __future__ import annotations

import re


def function_name(printed: str) -> str:
    """`s.f(integer)` without its arguments."""
    found = re.match(r'((?:"(?:[^"]|"")*"|[^"(])+)\(', printed)
    return found[1] if found else printed
