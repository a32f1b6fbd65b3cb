"""Schemas of different versions of PostgreSQL: what the older one cannot say is not held against it."""

from __future__ import annotations

from collections.abc import Mapping

from crmshift.compare.model import Value

# Privileges and attributes by the version that brought them, where what was there before means the same.
_PRIVILEGES = {"MAINTAIN": 17}


def as_of(older: int, attributes: Mapping[str, Value]) -> Mapping[str, Value]:
    """Attributes as the older of two versions could have them."""
    unknown = tuple(p for p, since in _PRIVILEGES.items() if since > older)
    kept: dict[str, Value] = {}
    for name, value in attributes.items():
        if isinstance(value, tuple) and name == "grants":
            value = tuple(g for g in value if not g.removeprefix("no ").startswith(unknown)) if unknown else value
            if not value:
                continue
        kept[name] = value
    return kept
