"""ALTER of what is seldom made by hand."""

from __future__ import annotations

import re

from crmshift.compare.ddl import make
from crmshift.compare.ddl.address import address, parts
from crmshift.compare.ddl.alter.alteration import FIRES, Alteration, Remake
from crmshift.compare.ddl.names import literal
from crmshift.compare.ddl.statement import (
    Statement,
    may_fail,
)


def statistics_target_of_statistics(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} set statistics {a.new or -1}")


def members(a: Alteration) -> list[Statement]:
    if a.was is not None:
        raise Remake
    own = "operator " if a.change.attribute == "operators" else "function "
    loose = [m for m in make.loose_members(a.now, a.b) if m.startswith(own)]
    return a.one(f"alter {address(a.now)} add\n    " + ",\n    ".join(loose)) if loose else []


def mappings(a: Alteration) -> list[Statement]:
    old, new = (dict(m.split(": ", 1) for m in parts(v)) for v in (a.change.old, a.change.new))
    said = []
    for token in sorted(old.keys() | new.keys()):
        if token in old and token not in new:
            said += a.one(f"alter {address(a.now)} drop mapping for {token}")
        elif old.get(token) != new[token]:
            said += a.one(
                f"alter {address(a.now)} {'alter' if token in old else 'add'} mapping for {token} with {new[token]}"
            )
    return said


def dictionary_options(a: Alteration) -> list[Statement]:
    if a.new and not a.old:
        return a.one(f"alter {address(a.now)} ({a.new})")
    raise Remake


def server_version(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} version {literal(a.new) if a.new else 'null'}")


def wrapper_function(a: Alteration) -> list[Statement]:
    key = a.change.attribute
    return a.one(f"alter {address(a.now)} {key} {a.new}" if a.new else f"alter {address(a.now)} no {key}")


def extension_schema(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} set schema {a.new}")


def extension_version(a: Alteration) -> list[Statement]:
    old, new = ([int(n) for n in re.findall(r"\d+", v)] for v in (a.old, a.new))
    if new < old:
        raise Remake
    return a.one(
        f"alter {address(a.now)} update to {literal(a.new)}",
        may_fail("where there is no way from the one version to the other"),
    )


def event_trigger_fires(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} {FIRES[a.new]}")


def publication_parameters(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} set ({make.publication_parameters(a.now)})")


def publication_targets(a: Alteration) -> list[Statement]:
    assert a.was is not None
    changed = [n for n in ("tables", "schemas") if a.was.attributes.get(n) != a.now.attributes.get(n)]
    if a.change.attribute != changed[0]:
        return []
    targets = make.publication_targets(a.now)
    if targets:
        return a.one(f"alter {address(a.now)} set {targets}")
    return a.one(f"alter {address(a.now)} drop {make.publication_targets(a.was)}")
