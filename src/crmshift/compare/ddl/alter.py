"""ALTER: for each kind and attribute the statements that take it from one value to another.

What has none is made anew: `alter` raises `Remake`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crmshift.compare.ddl import make
from crmshift.compare.ddl.address import ROUTINES, address, as_text, holder, name, parts, text, word
from crmshift.compare.ddl.grants import default_privileges, grants
from crmshift.compare.ddl.names import literal, qualified, quoted, shortened
from crmshift.compare.ddl.statement import (
    CannotBeMade,
    Hazard,
    Statement,
    locks,
    loses,
    may_fail,
    of_new,
    rewrites,
    scans,
)
from crmshift.compare.ddl.types import Conversion
from crmshift.compare.difference import Change
from crmshift.compare.model import Identity, Kind, Object, Schema


class Remake(Exception):
    """No ALTER does this: the object is dropped and made anew."""


@dataclass(frozen=True)
class Alteration:
    """One attribute of an object on its way. was: the object as it is; None where it has just been made.

    fresh: nobody uses it, or its table, yet. a, b: the schemas it goes from and to.
    """

    change: Change
    was: Object | None
    now: Object
    a: Schema
    b: Schema
    fresh: bool

    @property
    def new(self) -> str:
        return as_text(self.change.new)

    @property
    def old(self) -> str:
        return as_text(self.change.old)

    @property
    def on(self) -> str:
        """The table it belongs to, or the table itself."""
        return holder(self.now) if self.now.identity.parent else name(self.now.identity)

    @property
    def column(self) -> str:
        return quoted(self.now.identity.name)

    def one(self, sql: str, *hazards: Hazard, transactional: bool = True) -> list[Statement]:
        return [Statement(sql, self.now.identity, of_new(self.fresh, hazards), transactional)]

    def table(self, words: str, *hazards: Hazard) -> list[Statement]:
        """ALTER of the table, or whatever it is, that it belongs to."""
        return self.one(f"alter {self.kind_of_holder} {self.on} {words}", *(hazards or (locks(self.on),)))

    def of_column(self, words: str, *hazards: Hazard) -> list[Statement]:
        return self.table(f"alter column {self.column} {words}", *hazards)

    @property
    def kind_of_holder(self) -> str:
        if not self.now.identity.parent:
            return word(self.now.identity.kind)
        owner = self.b.holder(self.now.identity)
        return word(owner.kind) if owner else "table"


Alter = Callable[[Alteration], list[Statement]]


def alter(a: Alteration) -> list[Statement]:
    """The statements that change one attribute. Raises `Remake` where there are none, and `CannotBeMade`."""
    found = _EVERYWHERE.get(a.change.attribute) or _BY_KIND.get((a.now.identity.kind, a.change.attribute))
    if found is None:
        raise Remake
    return found(a)


# --- what all kinds have ------------------------------------------------------------------------------------------------


def _owner(a: Alteration) -> list[Statement]:
    if not a.new or a.now.identity.kind is Kind.EXTENSION:
        return []
    if a.new == a.b.loaded_by and a.was is None:
        return []  # whoever runs the script, as nobody named another
    if a.now.identity.kind is Kind.SEQUENCE and (
        "identity of" in a.now.attributes or (a.was is not None and "owned by" in a.was.attributes)
    ):
        return []  # it goes with its table
    if a.now.identity.kind is Kind.FOREIGN_DATA_WRAPPER:
        return a.one(f"alter foreign data wrapper {quoted(a.now.identity.name)} owner to {quoted(a.new)}")
    lock = [locks(a.on)] if a.now.identity.kind in (Kind.TABLE, Kind.MATERIALIZED_VIEW) else []
    return a.one(f"alter {address(a.now)} owner to {quoted(a.new)}", *lock)


def _grants(a: Alteration) -> list[Statement]:
    given = default_privileges if a.now.identity.kind is Kind.DEFAULT_PRIVILEGES else grants
    return [Statement(sql, a.now.identity) for sql in given(a.now, parts(a.change.old), parts(a.change.new))]


def _comment(a: Alteration) -> list[Statement]:
    said = literal(a.new) if a.change.new is not None else "null"
    return a.one(f"comment on {address(a.now)} is {said}")


def _security_label(a: Alteration) -> list[Statement]:
    old, new = (dict(p.split(": ", 1) for p in parts(v)) for v in (a.change.old, a.change.new))
    return [
        s
        for provider in sorted(old.keys() | new.keys())
        if old.get(provider) != new.get(provider)
        for s in a.one(
            f"security label for {quoted(provider)} on {address(a.now)} is {literal(new[provider]) if provider in new else 'null'}"
        )
    ]


def _extensions(a: Alteration) -> list[Statement]:
    gone, come = a.change.elements or ((), ())
    return [
        *(s for e in gone for s in a.one(f"alter {address(a.now)} no depends on extension {quoted(e)}")),
        *(s for e in come for s in a.one(f"alter {address(a.now)} depends on extension {quoted(e)}")),
    ]


_EVERYWHERE: dict[str, Alter] = {
    "owner": _owner,
    "grants": _grants,
    "comment": _comment,
    "security label": _security_label,
    "depends on extensions": _extensions,
}


# --- tables -------------------------------------------------------------------------------------------------------------


def _persistence(a: Alteration) -> list[Statement]:
    return a.table(f"set {a.new or 'logged'}", rewrites(a.on), locks(a.on))


def _inherits(a: Alteration) -> list[Statement]:
    """INHERIT; what it inherits no more was let go before."""
    gone, come = let_go(a.change), [p for p in parts(a.change.new) if p not in parts(a.change.old)]
    if not gone and not come:
        raise Remake
    return [s for p in come for s in a.table(f"inherit {p}")]


def _of_type(a: Alteration) -> list[Statement]:
    return a.table(f"of {a.new}") if a.new else []


def let_go(change: Change) -> list[str]:
    """What a table must not be any more before its columns change: `not of`, `no inherit parent`."""
    if change.attribute == "of type":
        return ["not of"] if change.old else []
    return [f"no inherit {p}" for p in parts(change.old) if p not in parts(change.new)]


def _access_method(a: Alteration) -> list[Statement]:
    return a.table(f"set access method {quoted(a.new or 'heap')}", rewrites(a.on), locks(a.on))


def _tablespace(a: Alteration) -> list[Statement]:
    return a.table(f"set tablespace {quoted(a.new or 'pg_default')}", rewrites(a.on), locks(a.on))


def set_options(subject: str, a: Alteration) -> list[Statement]:
    """SET and RESET of storage options."""
    old, new = (dict(o.split("=", 1) for o in parts(v)) for v in (a.change.old, a.change.new))
    changed = tuple(f"{k}={v}" for k, v in new.items() if old.get(k) != v)
    gone = [k for k in old if k not in new]
    return [
        *(a.one(f"alter {subject} set ({make.storage_options(changed)})") if changed else []),
        *(a.one(f"alter {subject} reset ({', '.join(gone)})") if gone else []),
    ]


def _options(a: Alteration) -> list[Statement]:
    return set_options(address(a.now), a)


def _replica_identity(a: Alteration) -> list[Statement]:
    if a.new == "index that is gone":
        raise CannotBeMade("the index of its replica identity is gone")
    said = f"using {a.new}" if a.new.startswith("index ") else a.new or "default"
    return a.table(f"replica identity {said}")


def _row_level_security(a: Alteration) -> list[Statement]:
    return a.table(f"{'enable' if a.new else 'disable'} row level security")


def _row_level_security_forced(a: Alteration) -> list[Statement]:
    return a.table(f"{'force' if a.new else 'no force'} row level security")


def _foreign_options(a: Alteration) -> list[Statement]:
    where = f"{_foreign(a)} {_generic_options(a)}"
    return a.one(where)


def _foreign(a: Alteration) -> str:
    if a.now.identity.kind is Kind.COLUMN:
        return f"alter foreign table {a.on} alter column {a.column}"
    return f"alter {address(a.now)}"


def _generic_options(a: Alteration) -> str:
    old, new = (dict(_option(o) for o in parts(v)) for v in (a.change.old, a.change.new))
    said = [f"drop {quoted(k)}" for k in old if k not in new]
    for key, value in new.items():
        if key not in old or old[key] != value:
            if value is None:
                raise CannotBeMade(f"the option {key} may be secret, so its value is not read; set it by hand")
            said.append(f"{'set' if key in old else 'add'} {quoted(key)} {literal(value)}")
    return f"options ({', '.join(said)})"


def _option(given: str) -> tuple[str, str | None]:
    key, equals, value = given.partition("=")
    return key, value if equals else None


def place_partition(a: Alteration) -> list[Statement]:
    """ATTACH PARTITION; where it was one elsewhere or with other bounds, DETACH before it."""
    if (
        a.change.attribute == "bounds"
        and a.was is not None
        and text(a.was, "partition of") != text(a.now, "partition of")
    ):
        return []
    if a.change.attribute == "bounds" and a.was is None:
        return []
    said = []
    if a.was is not None and "partition of" in a.was.attributes:
        parent = text(a.was, "partition of")
        said += a.one(f"alter table {parent} detach partition {a.on}", locks(parent, a.on))
    if "partition of" in a.now.attributes:
        said += attach(a.now, a.fresh)
    return said


def attach(o: Object, fresh: bool) -> list[Statement]:
    """ATTACH PARTITION."""
    parent, table = text(o, "partition of"), name(o.identity)
    hazards = (scans(table, "reads and writes of it wait"), may_fail("where a row is out of bounds"), locks(table))
    sql = f"alter table {parent} attach partition {table} {text(o, 'bounds')}"
    return [Statement(sql, o.identity, of_new(fresh, hazards))]


def _part_of_index(a: Alteration) -> list[Statement]:
    if not a.new or a.old:
        raise Remake
    return a.one(f"alter index {a.new} attach partition {qualified(a.now.identity.schema, a.now.identity.name)}")


def _part_of_constraint(a: Alteration) -> list[Statement]:
    if not a.new or a.old:
        raise Remake
    parent = next(
        o.identity
        for o in a.b.objects
        if o.identity.kind is Kind.CONSTRAINT and f"{holder(o)}.{quoted(o.identity.name)}" == a.new
    )
    index = qualified(parent.schema, parent.name)
    return a.one(f"alter index {index} attach partition {qualified(a.now.identity.schema, a.now.identity.name)}")


# --- columns ------------------------------------------------------------------------------------------------------------


def _column_type(a: Alteration) -> list[Statement]:
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
        hazards.insert(0, loses(f"values of {a.on}.{a.column} that {new} cannot hold are rounded or cut"))
    elif conversion.may_fail or user_defined:
        hazards.append(may_fail(f"where a value of {a.on}.{a.column} is none of {new}"))
    said = a.of_column(f"type {new}{collation}{using}", *hazards)
    if using and "default" in a.was.attributes:
        said = a.of_column("drop default") + said
        if "default" in a.now.attributes:
            said += a.of_column(f"set default {text(a.now, 'default')}")
    return said


def _collation(a: Alteration) -> list[Statement]:
    if a.was is not None and text(a.was, "type") != text(a.now, "type"):
        return []  # said with the type
    collation = a.new or 'pg_catalog."default"'
    return a.of_column(
        f"type {text(a.now, 'type')} collate {collation}", scans(a.on, "its indexes are built anew"), locks(a.on)
    )


def _not_null(a: Alteration) -> list[Statement]:
    if not a.new:
        return a.of_column("drop not null")
    dropped = a.of_column("drop not null") if a.old else []
    if "not valid" in a.new or "not inherited" in a.new:
        constraint = text(a.now, "not null constraint") or shortened(
            f"{a.now.identity.parent}_{a.now.identity.name}_not_null"
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


def _default(a: Alteration) -> list[Statement]:
    if a.was is not None and "generated" in a.was.attributes and "default" in a.now.attributes:
        return []  # said with `generated`
    return a.of_column(f"set default {a.new}" if a.new else "drop default")


def _generated(a: Alteration) -> list[Statement]:
    if a.new and a.old and a.a.version >= 17 and a.new.split()[-1] == a.old.split()[-1]:
        expression = a.new.rpartition(" ")[0]
        if a.new.endswith("virtual"):
            return a.of_column(f"set expression as {expression}")
        return a.of_column(f"set expression as {expression}", rewrites(a.on), locks(a.on))
    if a.old.endswith("stored") and not a.new:
        default = text(a.now, "default")
        return a.of_column("drop expression") + (a.of_column(f"set default {default}") if default else [])
    raise Remake


def _identity(a: Alteration) -> list[Statement]:
    if a.old and a.new:
        return a.of_column(f"set generated {a.new}")
    if not a.new:
        return a.of_column("drop identity")
    given = make.identity_options(a.now, a.b)
    return a.of_column(
        f"add generated {a.new} as identity{given}",
        locks(a.on),
        may_fail(f"on insert, until the sequence is set past the greatest {a.on}.{a.column} with setval()"),
    )


def _storage(a: Alteration) -> list[Statement]:
    if a.new:
        return a.of_column(f"set storage {a.new}")
    if a.a.version < 16:
        raise CannotBeMade("before PostgreSQL 16 there is no SET STORAGE DEFAULT; name the type's own")
    return a.of_column("set storage default")


def _compression(a: Alteration) -> list[Statement]:
    return a.of_column(f"set compression {a.new or 'default'}")


def _statistics_target(a: Alteration) -> list[Statement]:
    return a.one(f"alter {a.kind_of_holder} {a.on} alter column {a.column} set statistics {a.new or -1}")


def _column_options(a: Alteration) -> list[Statement]:
    return set_options(f"table {a.on} alter column {a.column}", a)


def _inherited(a: Alteration) -> list[Statement]:
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


def _comment_on_not_null(a: Alteration) -> list[Statement]:
    constraint = text(a.was, "not null constraint") if a.was else text(a.now, "not null constraint")
    if not constraint:
        raise CannotBeMade("the name of its NOT NULL constraint is not known")
    said = literal(a.new) if a.change.new is not None else "null"
    return a.one(f"comment on constraint {quoted(constraint)} on {a.on} is {said}")


# --- constraints and indexes --------------------------------------------------------------------------------------------


def _deferrable(a: Alteration) -> list[Statement]:
    if text(a.now, "type") != "foreign key":
        raise Remake
    said = {"": "not deferrable", "yes": "deferrable initially immediate"}.get(a.new, "deferrable initially deferred")
    return a.table(f"alter constraint {a.column} {said}")


def _validated(a: Alteration) -> list[Statement]:
    if a.new:
        raise Remake
    return validate(a.now, a.kind_of_holder)


def validate(k: Object, kind: str) -> list[Statement]:
    """VALIDATE CONSTRAINT: reads all rows, and blocks nobody."""
    return [
        Statement(
            f"alter {kind} {holder(k)} validate constraint {quoted(k.identity.name)}",
            k.identity,
            (scans(holder(k)), may_fail("where a row does not hold it")),
            transactional=False,
        )
    ]


def _index_of_constraint(a: Alteration) -> str:
    return f"index {qualified(a.now.identity.schema, a.now.identity.name)}"


def _index_options(a: Alteration) -> list[Statement]:
    return set_options(_index_of_constraint(a), a)


def _index_tablespace(a: Alteration) -> list[Statement]:
    moved = f"alter {_index_of_constraint(a)} set tablespace {quoted(a.new or 'pg_default')}"
    return a.one(moved, rewrites(f"the index {a.column}"), locks(a.on))


def _clustered(a: Alteration) -> list[Statement]:
    if a.new:
        return a.one(f"alter {a.kind_of_holder} {a.on} cluster on {a.column}")
    others = a.b.children(a.now.identity.schema, a.now.identity.parent)
    if any("clustered" in o.attributes for o in others):
        return []  # marking the other takes it from this one
    return a.one(f"alter {a.kind_of_holder} {a.on} set without cluster")


def _comment_on_index(a: Alteration) -> list[Statement]:
    said = literal(a.new) if a.change.new is not None else "null"
    return a.one(f"comment on {_index_of_constraint(a)} is {said}")


def _triggers_of_constraint(a: Alteration) -> list[Statement]:
    """Of a foreign key those on its own table: they have no names that could be written down."""
    verb = {"": "enable", "disabled": "disable", "on replicas only": "enable replica", "always": "enable always"}.get(
        a.new
    )
    if verb is None:
        raise CannotBeMade("its triggers fire at different times")
    tables = "tgrelid" if not a.new else literal(a.on) + "::regclass"
    return a.one(
        f"""do $$
declare
    g record;
begin
    for g in select t.tgname, t.tgrelid::regclass as on_table
               from pg_catalog.pg_trigger as t join pg_catalog.pg_constraint as k on k.oid = t.tgconstraint
              where k.conrelid = {literal(a.on)}::regclass and k.conname = {literal(a.now.identity.name)} and t.tgrelid = {tables}
    loop
        execute format('alter table %s {verb} trigger %I', g.on_table, g.tgname);
    end loop;
end $$""",
        locks(a.on, reads=False),
    )


def _index_is_invalid(a: Alteration) -> list[Statement]:
    if "a partition lacks its own" in a.new:
        return []
    if a.new:
        raise CannotBeMade("no statement makes an index invalid")
    raise Remake


def _index_valid(a: Alteration) -> list[Statement]:
    if a.was is None and re.match(r"CREATE (UNIQUE )?INDEX .*? ON ONLY ", text(a.now, "definition")):
        return []  # it is, until every partition has its own
    if a.new and a.was is None:
        raise CannotBeMade("no statement makes an index invalid")
    raise Remake


def _index_statistics(a: Alteration) -> list[Statement]:
    said = []
    old, new = (_targets(parts(v)) for v in (a.change.old, a.change.new))
    for number in sorted(old.keys() | new.keys()):
        if old.get(number) != new.get(number):
            said += a.one(f"alter {address(a.now)} alter column {number} set statistics {new.get(number, -1)}")
    return said


def _targets(given: Sequence[str]) -> dict[int, int]:
    found = (re.fullmatch(r"column (\d+): (\d+)", g) for g in given)
    return {int(f[1]): int(f[2]) for f in found if f}


def _index_in_tablespace(a: Alteration) -> list[Statement]:
    moved = f"alter {address(a.now)} set tablespace {quoted(a.new or 'pg_default')}"
    return a.one(moved, rewrites(f"the index {a.column}"), locks(a.on))


# --- triggers, rules, policies, routines, views -------------------------------------------------------------------------

_FIRES = {
    "": "enable",
    "never: disabled": "disable",
    "on replicas only": "enable replica",
    "always": "enable always",
}


def _trigger(a: Alteration) -> list[Statement]:
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
        said += a.table(f"{_FIRES[text(a.now, 'fires')]} trigger {a.column}", locks(a.on, reads=False))
    return said


def _trigger_fires(a: Alteration) -> list[Statement]:
    only = "only " if a.kind_of_holder == "table" else ""
    sql = f"alter {a.kind_of_holder} {only}{a.on} {_FIRES[a.new]} trigger {a.column}"
    return a.one(sql, locks(a.on, reads=False))


def _rule(a: Alteration) -> list[Statement]:
    replaced = text(a.now, "definition").rstrip().rstrip(";").replace("CREATE RULE", "CREATE OR REPLACE RULE", 1)
    return a.one(replaced, locks(a.on))


def _rule_fires(a: Alteration) -> list[Statement]:
    return a.table(f"{_FIRES[a.new]} rule {a.column}")


def _policy(a: Alteration) -> list[Statement]:
    if not a.new:
        raise Remake
    words = {"to": f"to {a.new}", "using": f"using ({a.new})", "with check": f"with check ({a.new})"}
    return a.one(f"alter {address(a.now)} {words[a.change.attribute]}", locks(a.on))


def _routine(a: Alteration) -> list[Statement]:
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


def _view(a: Alteration) -> list[Statement]:
    """CREATE OR REPLACE, where it has all the columns it had, with others at its end at most."""
    assert a.was is not None
    old, new = (
        [(c.identity.name, text(c, "type")) for c in make.columns(o, schema)]
        for o, schema in ((a.was, a.a), (a.now, a.b))
    )
    if new[: len(old)] != old:
        raise Remake
    return a.one(make.view(a.now, replace=True), locks(a.on))


# --- sequences and types ------------------------------------------------------------------------------------------------


def _sequence(words: str) -> Alter:
    def said(a: Alteration) -> list[Statement]:
        return a.one(f"alter sequence {make.name_of_sequence(a.now)} {words.format(a.new)}")

    return said


def _sequence_cycle(a: Alteration) -> list[Statement]:
    return a.one(f"alter sequence {make.name_of_sequence(a.now)} {'cycle' if a.new else 'no cycle'}")


_OF_A_SEQUENCE = {
    "type": "as {}",
    "increment": "increment by {}",
    "minimum": "minvalue {}",
    "maximum": "maxvalue {}",
    "start": "start with {}",
}


def _sequence_bounds(a: Alteration) -> list[Statement]:
    """All at once: one alone may not fit the others."""
    assert a.was is not None
    changed = [n for n in _OF_A_SEQUENCE if a.was.attributes.get(n) != a.now.attributes.get(n)]
    if a.change.attribute != next(n for n in a.now.attributes if n in changed):
        return []
    said = " ".join(_OF_A_SEQUENCE[n].format(text(a.now, n)) for n in changed)
    sequence = make.name_of_sequence(a.now)
    hazards = [may_fail("where its last value is out of bounds")] if {"minimum", "maximum"} & {*changed} else []
    if not int(text(a.now, "minimum")) <= int(text(a.was, "start")) <= int(text(a.now, "maximum")):
        said += f" restart with {text(a.now, 'start')}"
        hazards = [loses(f"how far {sequence} has counted")]
    return a.one(f"alter sequence {sequence} {said}", *hazards)


def _sequence_persistence(a: Alteration) -> list[Statement]:
    return a.one(f"alter sequence {make.name_of_sequence(a.now)} set {a.new or 'logged'}")


def _sequence_owned_by(a: Alteration) -> list[Statement]:
    return a.one(f"alter sequence {make.name_of_sequence(a.now)} owned by {a.new or 'none'}")


def _labels(a: Alteration) -> list[Statement]:
    old, new = [*parts(a.change.old)], [*parts(a.change.new)]
    if [label for label in new if label in old] != old:
        raise Remake
    said = []
    for position, label in enumerate(new):
        if label in old:
            continue
        before = f" before {literal(old[0])}" if old else ""
        place = f" after {literal(new[position - 1])}" if position else before
        # In one transaction with what uses the label, it would fail.
        said += a.one(f"alter {address(a.now)} add value {literal(label)}{place}", transactional=False)
    return said


def _fields(a: Alteration) -> list[Statement]:
    old, new = [*parts(a.change.old)], [*parts(a.change.new)]
    if new[: len(old)] == old:
        return [s for f in new[len(old) :] for s in a.one(f"alter {address(a.now)} add attribute {f}")]
    if [f for f in old if f in new] == new:
        field = re.compile(r'"(?:[^"]|"")*"|\S+')
        gone = [m[0] for f in old if f not in new and (m := field.match(f))]
        hazard = loses(f"values of these fields, wherever {name(a.now.identity)} is used")
        return [s for f in gone for s in a.one(f"alter {address(a.now)} drop attribute {f}", hazard)]
    raise Remake


def _domain_default(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} " + (f"set default {a.new}" if a.new else "drop default"))


def _domain_not_null(a: Alteration) -> list[Statement]:
    if not a.new:
        return a.one(f"alter {address(a.now)} drop not null")
    return a.one(
        f"alter {address(a.now)} set not null",
        scans("each table with a column of it", "writes wait"),
        may_fail("where one is null"),
    )


# --- the rest -----------------------------------------------------------------------------------------------------------


def _statistics_target_of_statistics(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} set statistics {a.new or -1}")


def _members(a: Alteration) -> list[Statement]:
    if a.was is not None:
        raise Remake
    own = "operator " if a.change.attribute == "operators" else "function "
    loose = [m for m in make.loose_members(a.now, a.b) if m.startswith(own)]
    return a.one(f"alter {address(a.now)} add\n    " + ",\n    ".join(loose)) if loose else []


def _mappings(a: Alteration) -> list[Statement]:
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


def _dictionary_options(a: Alteration) -> list[Statement]:
    if a.new and not a.old:
        return a.one(f"alter {address(a.now)} ({a.new})")
    raise Remake


def _server_version(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} version {literal(a.new) if a.new else 'null'}")


def _wrapper_function(a: Alteration) -> list[Statement]:
    key = a.change.attribute
    return a.one(f"alter {address(a.now)} {key} {a.new}" if a.new else f"alter {address(a.now)} no {key}")


def _extension_schema(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} set schema {a.new}")


def _extension_version(a: Alteration) -> list[Statement]:
    old, new = ([int(n) for n in re.findall(r"\d+", v)] for v in (a.old, a.new))
    if new < old:
        raise Remake
    return a.one(
        f"alter {address(a.now)} update to {literal(a.new)}",
        may_fail("where there is no way from the one version to the other"),
    )


def _event_trigger_fires(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} {_FIRES[a.new]}")


def _publication_parameters(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} set ({make.publication_parameters(a.now)})")


def _publication_targets(a: Alteration) -> list[Statement]:
    assert a.was is not None
    changed = [n for n in ("tables", "schemas") if a.was.attributes.get(n) != a.now.attributes.get(n)]
    if a.change.attribute != changed[0]:
        return []
    targets = make.publication_targets(a.now)
    if targets:
        return a.one(f"alter {address(a.now)} set {targets}")
    return a.one(f"alter {address(a.now)} drop {make.publication_targets(a.was)}")


_ROUTINE_ATTRIBUTES = (
    *("arguments", "returns", "language", "window", "volatility", "strict", "security", "leakproof", "parallel"),
    *("cost", "rows", "support", "settings", "transforms", "library", "body"),
)

_BY_KIND: dict[tuple[Kind, str], Alter] = {
    (Kind.TABLE, "persistence"): _persistence,
    (Kind.TABLE, "inherits"): _inherits,
    (Kind.TABLE, "of type"): _of_type,
    (Kind.TABLE, "access method"): _access_method,
    (Kind.MATERIALIZED_VIEW, "access method"): _access_method,
    (Kind.TABLE, "tablespace"): _tablespace,
    (Kind.MATERIALIZED_VIEW, "tablespace"): _tablespace,
    (Kind.TABLE, "options"): _options,
    (Kind.VIEW, "options"): _options,
    (Kind.MATERIALIZED_VIEW, "options"): _options,
    (Kind.TABLE, "replica identity"): _replica_identity,
    (Kind.TABLE, "row-level security"): _row_level_security,
    (Kind.TABLE, "row-level security for the owner"): _row_level_security_forced,
    (Kind.TABLE, "partition of"): place_partition,
    (Kind.TABLE, "bounds"): place_partition,
    (Kind.INDEX, "part of"): _part_of_index,
    (Kind.CONSTRAINT, "index is part of"): _part_of_constraint,
    (Kind.FOREIGN_TABLE, "foreign options"): _foreign_options,
    (Kind.FOREIGN_TABLE, "inherits"): _inherits,
    (Kind.COLUMN, "type"): _column_type,
    (Kind.COLUMN, "collation"): _collation,
    (Kind.COLUMN, "not null"): _not_null,
    (Kind.COLUMN, "default"): _default,
    (Kind.COLUMN, "generated"): _generated,
    (Kind.COLUMN, "identity"): _identity,
    (Kind.COLUMN, "storage"): _storage,
    (Kind.COLUMN, "compression"): _compression,
    (Kind.COLUMN, "statistics target"): _statistics_target,
    (Kind.COLUMN, "options"): _column_options,
    (Kind.COLUMN, "foreign options"): _foreign_options,
    (Kind.COLUMN, "inherited"): _inherited,
    (Kind.COLUMN, "comment on not null"): _comment_on_not_null,
    (Kind.CONSTRAINT, "deferrable"): _deferrable,
    (Kind.CONSTRAINT, "validated"): _validated,
    (Kind.CONSTRAINT, "index options"): _index_options,
    (Kind.CONSTRAINT, "index tablespace"): _index_tablespace,
    (Kind.CONSTRAINT, "clustered"): _clustered,
    (Kind.CONSTRAINT, "comment on index"): _comment_on_index,
    (Kind.CONSTRAINT, "triggers"): _triggers_of_constraint,
    (Kind.CONSTRAINT, "index"): _index_is_invalid,
    (Kind.INDEX, "clustered"): _clustered,
    (Kind.INDEX, "valid"): _index_valid,
    (Kind.INDEX, "statistics targets"): _index_statistics,
    (Kind.INDEX, "tablespace"): _index_in_tablespace,
    (Kind.TRIGGER, "definition"): _trigger,
    (Kind.TRIGGER, "fires"): _trigger_fires,
    (Kind.RULE, "definition"): _rule,
    (Kind.RULE, "fires"): _rule_fires,
    (Kind.POLICY, "to"): _policy,
    (Kind.POLICY, "using"): _policy,
    (Kind.POLICY, "with check"): _policy,
    **{(kind, attribute): _routine for kind in ROUTINES for attribute in _ROUTINE_ATTRIBUTES},
    (Kind.VIEW, "definition"): _view,
    (Kind.SEQUENCE, "type"): _sequence_bounds,
    (Kind.SEQUENCE, "start"): _sequence_bounds,
    (Kind.SEQUENCE, "minimum"): _sequence_bounds,
    (Kind.SEQUENCE, "maximum"): _sequence_bounds,
    (Kind.SEQUENCE, "increment"): _sequence_bounds,
    (Kind.SEQUENCE, "cache"): _sequence("cache {}"),
    (Kind.SEQUENCE, "cycle"): _sequence_cycle,
    (Kind.SEQUENCE, "persistence"): _sequence_persistence,
    (Kind.SEQUENCE, "owned by"): _sequence_owned_by,
    (Kind.ENUM, "labels"): _labels,
    (Kind.COMPOSITE_TYPE, "fields"): _fields,
    (Kind.DOMAIN, "default"): _domain_default,
    (Kind.DOMAIN, "not null"): _domain_not_null,
    (Kind.STATISTICS, "statistics target"): _statistics_target_of_statistics,
    (Kind.OPERATOR_FAMILY, "operators"): _members,
    (Kind.OPERATOR_FAMILY, "functions"): _members,
    (Kind.TEXT_SEARCH_CONFIGURATION, "mappings"): _mappings,
    (Kind.TEXT_SEARCH_DICTIONARY, "options"): _dictionary_options,
    (Kind.SERVER, "version"): _server_version,
    (Kind.SERVER, "options"): _foreign_options,
    (Kind.FOREIGN_DATA_WRAPPER, "options"): _foreign_options,
    (Kind.FOREIGN_DATA_WRAPPER, "handler"): _wrapper_function,
    (Kind.FOREIGN_DATA_WRAPPER, "validator"): _wrapper_function,
    (Kind.USER_MAPPING, "options"): _foreign_options,
    (Kind.EXTENSION, "schema"): _extension_schema,
    (Kind.EXTENSION, "version"): _extension_version,
    (Kind.EVENT_TRIGGER, "fires"): _event_trigger_fires,
    (Kind.PUBLICATION, "publishes"): _publication_parameters,
    (Kind.PUBLICATION, "via partition root"): _publication_parameters,
    (Kind.PUBLICATION, "generated columns"): _publication_parameters,
    (Kind.PUBLICATION, "tables"): _publication_targets,
    (Kind.PUBLICATION, "schemas"): _publication_targets,
}
