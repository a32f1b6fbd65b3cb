"""CREATE of tables, columns and constraints."""

from __future__ import annotations

from collections.abc import Iterator

from crmshift.compare.ddl.address import as_text, holder, name, parts, text
from crmshift.compare.ddl.make.options import options, storage_options
from crmshift.compare.ddl.make.sequences_and_types import sequence_options
from crmshift.compare.ddl.names import quoted
from crmshift.compare.model import Kind, Object, Schema


def columns(o: Object, schema: Schema) -> list[Object]:
    """A table's columns in order."""
    children = schema.children(o.identity.schema, o.identity.name)
    return sorted((c for c in children if c.identity.kind is Kind.COLUMN), key=lambda c: text(c, "position"))


def column_definition(c: Object, schema: Schema) -> str:
    """A column in CREATE TABLE or ADD COLUMN."""
    words = [quoted(c.identity.name), text(c, "type")]
    if "collation" in c.attributes:
        words.append(f"collate {text(c, 'collation')}")
    if "foreign options" in c.attributes:
        words.append(options(parts(c.attributes["foreign options"])))
    if "identity" in c.attributes:
        words.append(f"generated {text(c, 'identity')} as identity{identity_options(c, schema)}")
    elif "generated" in c.attributes:
        words.append(f"generated always as {text(c, 'generated')}")
    elif "default" in c.attributes:
        words.append(f"default {text(c, 'default')}")
    if "not null" in c.attributes and "not valid" not in text(c, "not null"):
        if "comment on not null" in c.attributes and text(c, "not null constraint"):
            words.append(f"constraint {quoted(text(c, 'not null constraint'))}")
        words.append("not null" + (" no inherit" if "not inherited" in text(c, "not null") else ""))
    return " ".join(words)


def identity_options(c: Object, schema: Schema) -> str:
    """Of an identity column the sequence, in parentheses."""
    sequence = sequence_of(c, schema)
    return f" ({sequence_options(sequence, named=True)})" if sequence else ""


def sequence_of(c: Object, schema: Schema) -> Object | None:
    """The sequence of an identity column."""
    called = f"{holder(c)}.{quoted(c.identity.name)}"
    of_table = schema.children(c.identity.schema, c.identity.parent)
    return next((s for s in of_table if s.identity.kind is Kind.SEQUENCE and text(s, "identity of") == called), None)


def create_table(o: Object, schema: Schema) -> str:
    """A table by itself: a partition is attached later, and gets the checks of its parent for that."""
    foreign = o.identity.kind is Kind.FOREIGN_TABLE
    partition = "partition of" in o.attributes
    unlogged = "unlogged " if "persistence" in o.attributes else ""
    head = f"create {'foreign ' if foreign else unlogged}table {name(o.identity)}"
    own = [c for c in columns(o, schema) if text(c, "inherited") != "yes" or partition]
    if "of type" in o.attributes:
        head += f" of {text(o, 'of type')}"
        own = [c for c in own if {"default", "generated", "not null"} & c.attributes.keys()]
        listed = [_typed_column(c) for c in own]
    else:
        listed = [column_definition(_within_partition(c) if partition else c, schema) for c in own]
    if partition:
        listed += [
            f"constraint {quoted(k.identity.name)} {text(k, 'full definition')}" for k in _checks_of_parent(o, schema)
        ]
    lines = ",\n".join(f"    {line}" for line in listed)
    if listed or "of type" not in o.attributes:
        head += f" (\n{lines}\n)" if listed else " ()"
    for attribute, words in (("inherits", "inherits ({})"), ("partitioned by", "partition by {}")):
        if attribute in o.attributes:
            head += "\n" + words.format(as_text(o.attributes[attribute]))
    if "access method" in o.attributes:
        head += f"\nusing {quoted(text(o, 'access method'))}"
    if foreign:
        head += f"\nserver {quoted(text(o, 'server'))}"
        if "foreign options" in o.attributes:
            head += f" {options(parts(o.attributes['foreign options']))}"
    if "options" in o.attributes:
        head += f"\nwith ({storage_options(parts(o.attributes['options']))})"
    if "tablespace" in o.attributes:
        head += f"\ntablespace {quoted(text(o, 'tablespace'))}"
    return head


def _typed_column(c: Object) -> str:
    words = [quoted(c.identity.name), "with options"]
    if "default" in c.attributes:
        words.append(f"default {text(c, 'default')}")
    if "not null" in c.attributes:
        words.append("not null")
    return " ".join(words)


def _within_partition(c: Object) -> Object:
    """A partition's column; that it is an identity comes from the parent."""
    kept = {k: v for k, v in c.attributes.items() if k != "identity"}
    return Object(c.identity, kept, c.details)


def parent_of(o: Object, schema: Schema) -> Object | None:
    """The table that something is a partition of."""
    called = text(o, "partition of")
    if not called:
        return None
    tables = (t for t in schema.objects if t.identity.kind in (Kind.TABLE, Kind.FOREIGN_TABLE))
    return next((t for t in tables if text(t, "quoted name") == called), None)


def _checks_of_parent(o: Object, schema: Schema) -> Iterator[Object]:
    seen = set()
    while (parent := parent_of(o, schema)) is not None:
        for k in schema.children(parent.identity.schema, parent.identity.name):
            if k.identity.kind is Kind.CONSTRAINT and text(k, "type") == "check" and k.identity.name not in seen:
                seen.add(k.identity.name)
                if "not inherited" not in k.attributes:
                    yield k
        o = parent


def create_column(c: Object, schema: Schema) -> str:
    foreign = "foreign " if text(c, "of") == "foreign table" else ""
    return f"alter {foreign}table {holder(c)} add column {column_definition(c, schema)}"


def create_constraint(k: Object, schema: Schema) -> str:
    kind = "domain" if text(k, "of") == "domain" else "table"
    only = ""
    if kind == "table" and text(k, "type") in ("primary key", "unique"):
        owner = schema.holder(k.identity)
        only = "only " if owner and "partitioned by" in schema.by_identity[owner].attributes else ""
    return f"alter {kind} {only}{holder(k)} add constraint {quoted(k.identity.name)} {text(k, 'full definition')}"
