"""ALTER of triggers, rules, policies, routines and views."""

from __future__ import annotations

from crmshift.compare.ddl import make
from crmshift.compare.ddl.address import address, text
from crmshift.compare.ddl.alter.alteration import FIRES, Alteration, Remake
from crmshift.compare.ddl.statement import (
    Statement,
    locks,
)
from crmshift.compare.model import Kind, Object


def trigger(a: Alteration) -> list[Statement]:
    definition = text(a.now, "definition")
    if (
        a.was is None
        or definition.startswith("CREATE CONSTRAINT")
        or text(a.was, "definition").startswith("CREATE CONSTRAINT")
    ):
        raise Remake
    replaced = definition.replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1)
    said = a.one(replaced, locks(a.on, reads=False))
    if "fires" in a.now.attributes:  # it would fire as usual again
        said += a.table(f"{FIRES[text(a.now, 'fires')]} trigger {a.column}", locks(a.on, reads=False))
    return said


def trigger_fires(a: Alteration) -> list[Statement]:
    only = "only " if a.kind_of_holder == "table" else ""
    sql = f"alter {a.kind_of_holder} {only}{a.on} {FIRES[a.new]} trigger {a.column}"
    return a.one(sql, locks(a.on, reads=False))


def rule(a: Alteration) -> list[Statement]:
    replaced = text(a.now, "definition").rstrip().rstrip(";").replace("CREATE RULE", "CREATE OR REPLACE RULE", 1)
    return a.one(replaced, locks(a.on))


def rule_fires(a: Alteration) -> list[Statement]:
    return a.table(f"{FIRES[a.new]} rule {a.column}")


def policy(a: Alteration) -> list[Statement]:
    if not a.new:
        raise Remake
    words = {"to": f"to {a.new}", "using": f"using ({a.new})", "with check": f"with check ({a.new})"}
    return a.one(f"alter {address(a.now)} {words[a.change.attribute]}", locks(a.on))


def routine(a: Alteration) -> list[Statement]:
    """CREATE OR REPLACE, where names of arguments, their defaults and the result allow it. It says all at once."""
    assert a.was is not None
    if a.change.attribute != _first_of_routine(a):
        return []
    definition = text(a.now, "full definition")
    if not definition or not _replaceable(a.was, a.now):
        raise Remake
    return a.one(definition)


def _first_of_routine(a: Alteration) -> str:
    assert a.was is not None
    names = [*dict.fromkeys([*a.was.attributes, *a.now.attributes])]
    return next(n for n in names if n not in make.EVERYWHERE and a.was.attributes.get(n) != a.now.attributes.get(n))


def _replaceable(was: Object, now: Object) -> bool:
    return (
        now.identity.kind is not Kind.AGGREGATE
        and text(was, "returns") == text(now, "returns")
        and text(was, "window") == text(now, "window")
        and _without_defaults(text(was, "arguments")) == _without_defaults(text(now, "arguments"))
        and text(was, "arguments").count(" DEFAULT ") <= text(now, "arguments").count(" DEFAULT ")
    )


def _without_defaults(arguments: str) -> str:
    """Names, modes and types alone. A default that holds a comma leaves more behind, and the function is made anew."""
    return ", ".join(part.partition(" DEFAULT ")[0] for part in arguments.split(", "))


def view(a: Alteration) -> list[Statement]:
    """CREATE OR REPLACE, where it has all the columns it had, with others at its end at most."""
    assert a.was is not None
    old, new = (
        [(c.identity.name, text(c, "type")) for c in make.columns(o, schema)]
        for o, schema in ((a.was, a.a), (a.now, a.b))
    )
    if new[: len(old)] != old:
        raise Remake
    return a.one(make.view(a.now, replace=True), locks(a.on))
