"""ALTER of columns."""

from __future__ import annotations

from crmshift.compare.ddl import make
from crmshift.compare.ddl.address import parts, text
from crmshift.compare.ddl.alter.alteration import Alteration, Remake, set_options
from crmshift.compare.ddl.names import literal, quoted, shortened
from crmshift.compare.ddl.statement import (
    CannotBeMade,
    Statement,
    locks,
    loses,
    may_fail,
    rewrites,
    scans,
)
from crmshift.compare.ddl.types import Conversion
from crmshift.compare.model import Identity


def column_type(a: Alteration) -> list[Statement]:
    assert a.was is not None
    old, new = text(a.was, "type"), text(a.now, "type")
    if "generated" in a.was.attributes and "generated" not in a.now.attributes:
        raise Remake
    conversion = Conversion.between(old, new)
    user_defined = any("." in t for t in (old, new))
    using = ""
    if not conversion.assigns or user_defined:
        through = "" if conversion.casts and not user_defined else "::text"
        using = f" using {a.column}{through}::{new}"
    if "generated" in a.now.attributes:
        using = ""
    collation = f" collate {text(a.now, 'collation')}" if "collation" in a.now.attributes else ""
    hazards = [locks(a.on)]
    if conversion.rewrites or user_defined:
        hazards.insert(0, rewrites(a.on))
    if conversion.may_lose and "generated" not in a.now.attributes:
        hazards.insert(
            0,
            loses(
                f"values of {a.on}.{a.column} that {new} cannot hold as they are come out rounded, cut or spelled otherwise"
            ),
        )
    if conversion.may_fail or user_defined:
        hazards.append(may_fail(f"where a value of {a.on}.{a.column} is none of {new}"))
    said = a.of_column(f"type {new}{collation}{using}", *hazards)
    if using and "default" in a.was.attributes:
        said = a.of_column("drop default") + said
        if "default" in a.now.attributes:
            said += a.of_column(f"set default {text(a.now, 'default')}")
    return said


def collation(a: Alteration) -> list[Statement]:
    if a.was is not None and text(a.was, "type") != text(a.now, "type"):
        return []  # said with the type
    collation = a.new or 'pg_catalog."default"'
    return a.of_column(
        f"type {text(a.now, 'type')} collate {collation}", scans(a.on, "its indexes are built anew"), locks(a.on)
    )


def not_null(a: Alteration) -> list[Statement]:
    if not a.new:
        return a.of_column("drop not null")
    dropped = a.of_column("drop not null") if a.old else []
    if "not valid" in a.new or "not inherited" in a.new:
        constraint = text(a.now, "not null constraint") or shortened(
            f"{a.now.identity.parent}_{a.now.identity.name}not_null"
        )
        ending = (" no inherit" if "not inherited" in a.new else "") + (" not valid" if "not valid" in a.new else "")
        return dropped + a.table(f"add constraint {quoted(constraint)} not null {a.column}{ending}")
    if a.fresh or ("identity" in a.now.attributes and "identity" not in (a.was.attributes if a.was else {})):
        return dropped + a.of_column("set not null", scans(a.on, "reads and writes wait"), locks(a.on))
    # A check that is validated while others read and write spares SET NOT NULL its scan under the lock.
    check = quoted(shortened(f"{a.now.identity.name}_is_not_null"))
    return [
        *dropped,
        *a.table(f"add constraint {check} check ({a.column} is not null) not valid"),
        *a.one(
            f"alter {a.kind_of_holder} {a.on} validate constraint {check}",
            scans(a.on),
            may_fail(f"where {a.on}.{a.column} is null"),
            transactional=False,
        ),
        *a.of_column("set not null"),
        *a.table(f"drop constraint {check}"),
    ]


def default(a: Alteration) -> list[Statement]:
    if a.was is not None and "generated" in a.was.attributes and "default" in a.now.attributes:
        return []  # said with `generated`
    return a.of_column(f"set default {a.new}" if a.new else "drop default")


def generated(a: Alteration) -> list[Statement]:
    if a.new and a.old and a.a.version >= 17 and a.new.split()[-1] == a.old.split()[-1]:
        expression = a.new.rpartition(" ")[0]
        if a.new.endswith("virtual"):
            return a.of_column(f"set expression as {expression}")
        return a.of_column(f"set expression as {expression}", rewrites(a.on), locks(a.on))
    if a.old.endswith("stored") and not a.new:
        default = text(a.now, "default")
        return a.of_column("drop expression") + (a.of_column(f"set default {default}") if default else [])
    raise Remake


def identity(a: Alteration) -> list[Statement]:
    if a.old and a.new:
        return a.of_column(f"set generated {a.new}")
    if not a.new:
        return a.of_column(
            "drop identity", loses(f"how far the sequence of {a.on}.{a.column} has counted"), locks(a.on)
        )
    given = make.identity_options(a.now, a.b)
    return a.of_column(
        f"add generated {a.new} as identity{given}",
        locks(a.on),
        may_fail(f"on insert, until the sequence is set past the greatest {a.on}.{a.column} with setval()"),
    )


def storage(a: Alteration) -> list[Statement]:
    if a.new:
        return a.of_column(f"set storage {a.new}")
    if a.a.version < 16:
        raise CannotBeMade("before PostgreSQL 16 there is no SET STORAGE DEFAULT; name the type's own")
    return a.of_column("set storage default")


def compression(a: Alteration) -> list[Statement]:
    return a.of_column(f"set compression {a.new or 'default'}")


def statistics_target(a: Alteration) -> list[Statement]:
    return a.one(f"alter {a.kind_of_holder} {a.on} alter column {a.column} set statistics {a.new or -1}")


def column_options(a: Alteration) -> list[Statement]:
    return set_options(f"table {a.on} alter column {a.column}", a)


def inherited(a: Alteration) -> list[Statement]:
    if a.was is None:
        return []
    if a.old == "yes" and a.new == "and declared here too":
        table = a.b.by_identity[_holder(a)]
        return [
            s
            for parent in parts(table.attributes.get("inherits"))
            for words in (f"no inherit {parent}", f"inherit {parent}")
            for s in a.table(words)
        ]
    if a.old and not a.new:
        return []  # NO INHERIT of the table does it
    if not a.old and a.new == "and declared here too":
        return []  # INHERIT of the table does it
    raise Remake


def _holder(a: Alteration) -> Identity:
    owner = a.b.holder(a.now.identity)
    if owner is None:
        raise CannotBeMade("the table it belongs to is not known")
    return owner


def comment_on_not_null(a: Alteration) -> list[Statement]:
    constraint = text(a.was, "not null constraint") if a.was else text(a.now, "not null constraint")
    if not constraint:
        raise CannotBeMade("the name of its NOT NULL constraint is not known")
    said = literal(a.new) if a.change.new is not None else "null"
    return a.one(f"comment on constraint {quoted(constraint)} on {a.on} is {said}")
