"""CREATE of sequences and types."""

from __future__ import annotations

from crmshift.compare.ddl.address import as_text, name, parts, text
from crmshift.compare.ddl.make.names_of_functions import function_name
from crmshift.compare.ddl.names import literal, qualified
from crmshift.compare.ddl.statement import CannotBeMade
from crmshift.compare.model import Object, Schema


def sequence_options(o: Object, *, named: bool = False) -> str:
    a = o.attributes
    said = [f"sequence name {name_of_sequence(o)}"] if named else [f"as {a['type']}"]
    said += [
        f"start with {a['start']}",
        f"increment by {a['increment']}",
        f"minvalue {a['minimum']}",
        f"maxvalue {a['maximum']}",
        f"cache {a['cache']}",
        *(["cycle"] if "cycle" in a else []),
    ]
    return " ".join(said)


def name_of_sequence(o: Object) -> str:
    """A sequence's own name; one of an identity column belongs to the table, and has the table's schema."""
    return qualified(o.identity.schema, o.identity.name)


def sequence(o: Object, schema: Schema) -> str:
    unlogged = "unlogged " if "persistence" in o.attributes else ""
    return f"create {unlogged}sequence {name_of_sequence(o)} {sequence_options(o)}"


def enum(o: Object, schema: Schema) -> str:
    labels = ", ".join(map(literal, parts(o.attributes.get("labels"))))
    return f"create type {name(o.identity)} as enum ({labels})"


def domain(o: Object, schema: Schema) -> str:
    head = f"create domain {name(o.identity)} as {text(o, 'type')}"
    if "collation" in o.attributes:
        head += f" collate {text(o, 'collation')}"
    if "default" in o.attributes:
        head += f" default {text(o, 'default')}"
    return head + (" not null" if "not null" in o.attributes else "")


def composite_type(o: Object, schema: Schema) -> str:
    return f"create type {name(o.identity)} as ({as_text(o.attributes.get('fields'))})"


def range(o: Object, schema: Schema) -> str:
    said = [f"subtype = {text(o, 'subtype')}"]
    for attribute, key in (
        ("subtype operator class", "subtype_opclass"),
        ("subtype collation", "collation"),
        ("canonical function", "canonical"),
        ("difference function", "subtype_diff"),
        ("multirange", "multirange_type_name"),
    ):
        if attribute in o.attributes:
            value = text(o, attribute)
            said.append(f"{key} = {function_name(value) if value.endswith(')') else value}")
    return f"create type {name(o.identity)} as range ({', '.join(said)})"


def base_type(o: Object, schema: Schema) -> str:
    if "defined" not in o.attributes:
        raise CannotBeMade("a base type is written in C, and made by its extension")
    return f"create type {name(o.identity)}"
