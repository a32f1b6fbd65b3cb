"""CREATE: one function for each kind. What CREATE cannot say is altered afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from crmshift.compare.ddl.address import as_text, holder, name, parts, text
from crmshift.compare.ddl.names import literal, qualified, quoted
from crmshift.compare.ddl.statement import CannotBeMade
from crmshift.compare.model import Kind, Object, Schema

EVERYWHERE = frozenset({"owner", "grants", "comment", "security label", "depends on extensions"})
"""Attributes that objects of all kinds have, and no CREATE sets."""

LATER = {
    Kind.TABLE: {
        *("replica identity", "row-level security", "row-level security for the owner", "partition of", "bounds"),
    },
    Kind.COLUMN: {"statistics target", "storage", "compression", "options", "comment on not null"},
    Kind.CONSTRAINT: {
        *("index options", "index tablespace", "clustered", "comment on index", "triggers", "index"),
        "index is part of",
    },
    Kind.INDEX: {"clustered", "statistics targets", "part of", "tablespace", "valid"},
    Kind.TRIGGER: {"fires"},
    Kind.RULE: {"fires"},
    Kind.EVENT_TRIGGER: {"fires"},
    Kind.SEQUENCE: {"owned by"},
    Kind.STATISTICS: {"statistics target"},
    Kind.OPERATOR_FAMILY: {"operators", "functions"},
    Kind.TEXT_SEARCH_CONFIGURATION: {"mappings"},
}
"""What is altered after CREATE, by kind."""

OWN_STEP = {
    (Kind.TABLE, "partition of"),
    (Kind.TABLE, "bounds"),
    (Kind.TABLE, "replica identity"),
    (Kind.SEQUENCE, "owned by"),
    (Kind.CONSTRAINT, "index is part of"),
    (Kind.INDEX, "part of"),
    (Kind.OPERATOR_FAMILY, "operators"),
    (Kind.OPERATOR_FAMILY, "functions"),
}
"""Of these, what must wait for other objects."""


def made_by_create(o: Object, attribute: str) -> bool:
    """Whether CREATE sets an attribute."""
    return attribute not in EVERYWHERE and attribute not in LATER.get(o.identity.kind, ())


def create(o: Object, schema: Schema) -> str:
    """The statement that makes an object. Raises `CannotBeMade`."""
    maker = _MAKERS.get(o.identity.kind)
    if maker is None:
        raise CannotBeMade(f"crmshift does not know how a {o.identity.kind} is made")
    return maker(o, schema)


# --- tables and columns -------------------------------------------------------------------------------------------------


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
    return f" ({_sequence_options(sequence, named=True)})" if sequence else ""


def sequence_of(c: Object, schema: Schema) -> Object | None:
    """The sequence of an identity column."""
    called = f"{holder(c)}.{quoted(c.identity.name)}"
    of_table = schema.children(c.identity.schema, c.identity.parent)
    return next((s for s in of_table if s.identity.kind is Kind.SEQUENCE and text(s, "identity of") == called), None)


def options(given: tuple[str, ...], verb: str = "") -> str:
    """`options (host 'h')`, of options as the catalogue has them: `host=h`."""
    said = []
    for option in given:
        key, equals, value = option.partition("=")
        if not equals:
            raise CannotBeMade(f"the option {key} may be secret, so its value is not read; set it by hand")
        said.append(f"{verb}{quoted(key)} {literal(value)}")
    return f"options ({', '.join(said)})"


def storage_options(given: tuple[str, ...]) -> str:
    """`fillfactor = 70`, of options as the catalogue has them: `fillfactor=70`."""
    return ", ".join(f"{key} = {_plain(value)}" for key, _, value in (o.partition("=") for o in given))


def _plain(value: str) -> str:
    return value if re.fullmatch(r"[a-z_]+|-?\d+(\.\d+)?", value) else literal(value)


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


def _create_column(c: Object, schema: Schema) -> str:
    foreign = "foreign " if text(c, "of") == "foreign table" else ""
    return f"alter {foreign}table {holder(c)} add column {column_definition(c, schema)}"


def _create_constraint(k: Object, schema: Schema) -> str:
    kind = "domain" if text(k, "of") == "domain" else "table"
    only = ""
    if kind == "table" and text(k, "type") in ("primary key", "unique"):
        owner = schema.holder(k.identity)
        only = "only " if owner and "partitioned by" in schema.by_identity[owner].attributes else ""
    return f"alter {kind} {only}{holder(k)} add constraint {quoted(k.identity.name)} {text(k, 'full definition')}"


# --- what PostgreSQL prints as a whole ----------------------------------------------------------------------------------


def _printed(o: Object, schema: Schema) -> str:
    definition = text(o, "full definition") or text(o, "definition")
    if not definition:
        raise CannotBeMade("its definition was not read")
    return definition.rstrip().rstrip(";") if o.identity.kind is Kind.RULE else definition


def _view(o: Object, schema: Schema) -> str:
    return view(o)


def view(o: Object, *, replace: bool = False) -> str:
    """CREATE VIEW."""
    given = f" with ({storage_options(parts(o.attributes['options']))})" if "options" in o.attributes else ""
    query = text(o, "definition").strip().rstrip(";")
    return f"create {'or replace ' if replace else ''}view {name(o.identity)}{given} as\n{query}"


def _materialized_view(o: Object, schema: Schema) -> str:
    head = f"create materialized view {name(o.identity)}"
    if "access method" in o.attributes:
        head += f" using {quoted(text(o, 'access method'))}"
    if "options" in o.attributes:
        head += f" with ({storage_options(parts(o.attributes['options']))})"
    if "tablespace" in o.attributes:
        head += f" tablespace {quoted(text(o, 'tablespace'))}"
    query = text(o, "definition").strip().rstrip(";")
    return f"{head} as\n{query}" + ("\nwith no data" if "populated" in o.details else "")


def _policy(o: Object, schema: Schema) -> str:
    head = f"create policy {quoted(o.identity.name)} on {holder(o)}"
    if "restrictive" in o.attributes:
        head += " as restrictive"
    if text(o, "for") != "all":
        head += f" for {text(o, 'for')}"
    return head + policy_clauses(o)


def policy_clauses(o: Object) -> str:
    """To whom a policy applies, and what it lets through."""
    said = f"\n    to {as_text(o.attributes['to'])}"
    if "using" in o.attributes:
        said += f"\n    using ({text(o, 'using')})"
    if "with check" in o.attributes:
        said += f"\n    with check ({text(o, 'with check')})"
    return said


# --- sequences and types ------------------------------------------------------------------------------------------------


def _sequence_options(o: Object, *, named: bool = False) -> str:
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


def _sequence(o: Object, schema: Schema) -> str:
    unlogged = "unlogged " if "persistence" in o.attributes else ""
    return f"create {unlogged}sequence {name_of_sequence(o)} {_sequence_options(o)}"


def _enum(o: Object, schema: Schema) -> str:
    labels = ", ".join(map(literal, parts(o.attributes.get("labels"))))
    return f"create type {name(o.identity)} as enum ({labels})"


def _domain(o: Object, schema: Schema) -> str:
    head = f"create domain {name(o.identity)} as {text(o, 'type')}"
    if "collation" in o.attributes:
        head += f" collate {text(o, 'collation')}"
    if "default" in o.attributes:
        head += f" default {text(o, 'default')}"
    return head + (" not null" if "not null" in o.attributes else "")


def _composite_type(o: Object, schema: Schema) -> str:
    return f"create type {name(o.identity)} as ({as_text(o.attributes.get('fields'))})"


def _range(o: Object, schema: Schema) -> str:
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


def _base_type(o: Object, schema: Schema) -> str:
    if "defined" not in o.attributes:
        raise CannotBeMade("a base type is written in C, and made by its extension")
    return f"create type {name(o.identity)}"


# --- what is seldom made by hand ----------------------------------------------------------------------------------------


def function_name(printed: str) -> str:
    """`s.f(integer)` without its arguments."""
    found = re.match(r'((?:"(?:[^"]|"")*"|[^"(])+)\(', printed)
    return found[1] if found else printed


def _listed(o: Object, keys: dict[str, str], head: str) -> str:
    """`head (key = value, …)`: functions without arguments, and flags by their names alone."""
    said = []
    for attribute, key in keys.items():
        if attribute in o.attributes:
            value = text(o, attribute)
            if value == "yes":
                said.append(key)
            elif attribute in ("commutator", "negator", "sort operator"):
                said.append(f"{key} = operator({function_name(value)})")
            elif attribute in ("initial state", "moving initial state", "locale", "collate", "ctype", "rules"):
                said.append(f"{key} = {literal(value)}")
            else:
                said.append(f"{key} = {function_name(value) if value.endswith(')') else value}")
    return f"{head} ({', '.join(said)})"


_AGGREGATE = {
    "state function": "sfunc",
    "state type": "stype",
    "state size": "sspace",
    "final function": "finalfunc",
    "combine function": "combinefunc",
    "serial function": "serialfunc",
    "deserial function": "deserialfunc",
    "initial state": "initcond",
    "moving state function": "msfunc",
    "moving inverse function": "minvfunc",
    "moving state type": "mstype",
    "moving state size": "msspace",
    "moving final function": "mfinalfunc",
    "moving initial state": "minitcond",
    "sort operator": "sortop",
    "parallel": "parallel",
}
_MODIFIES = {"r": "read_only", "s": "shareable", "w": "read_write"}


def _aggregate(o: Object, schema: Schema) -> str:
    arguments = text(o, "arguments") or "*"
    head = f"create aggregate {qualified(o.identity.schema, text(o, 'name'))}({arguments})"
    said = _listed(o, _AGGREGATE, head)[:-1]
    # A type may end with a parenthesis; it is not a function.
    for attribute, key in (("state type", "stype"), ("moving state type", "mstype")):
        if text(o, attribute).endswith(")"):
            said = re.sub(rf"\b{key} = [^,]*", f"{key} = {text(o, attribute)}", said)
    for prefix, key in (("", "finalfunc"), ("moving ", "mfinalfunc")):
        if f"{prefix}final function gets" in o.attributes:
            said += f", {key}_extra"
        if f"{prefix}final function modifies" in o.attributes:
            said += f", {key}_modify = {_MODIFIES[text(o, f'{prefix}final function modifies')]}"
    if text(o, "aggregate") == "hypothetical set":
        said += ", hypothetical"
    return f"{said})"


def _operator(o: Object, schema: Schema) -> str:
    left = text(o, "left")
    keys = {
        "function": "function",
        "commutator": "commutator",
        "negator": "negator",
        "restrict": "restrict",
        "join": "join",
        "hashes": "hashes",
        "merges": "merges",
    }
    sides = (f"leftarg = {left}, " if left else "") + f"rightarg = {text(o, 'right')}"
    head = f"create operator {quoted(o.identity.schema)}.{text(o, 'name')}"
    return _listed(o, keys, head).replace(" (", f" ({sides}, ", 1)


def _operator_class(o: Object, schema: Schema) -> str:
    head = f"create operator class {qualified(o.identity.schema, text(o, 'name'))}"
    default = " default" if "default" in o.attributes else ""
    family = family_of(o, schema)
    own = [m for m in members(family) if _of_types(m, text(o, "type"))] if family else []
    if "storage" in o.attributes or not own:
        own.append(f"storage {text(o, 'storage') or text(o, 'type')}")
    listed = ",\n    ".join(own)
    method = quoted(text(o, "access method"))
    return f"{head}{default} for type {text(o, 'type')} using {method} family {text(o, 'family')} as\n    {listed}"


def family_of(o: Object, schema: Schema) -> Object | None:
    """The family of an operator class."""
    return next(
        (
            f
            for f in schema.objects
            if f.identity.kind is Kind.OPERATOR_FAMILY
            and qualified(f.identity.schema, text(f, "name")) == text(o, "family")
            and text(f, "access method") == text(o, "access method")
        ),
        None,
    )


def members(family: Object) -> list[str]:
    """What is in a family of operators: `operator 1 <(integer,integer)`."""
    operators = [f"operator {m}" for m in parts(family.attributes.get("operators"))]
    return operators + [f"function {m}" for m in parts(family.attributes.get("functions"))]


def _of_types(member: str, wanted: str) -> bool:
    """Whether a member is for one type on both sides: then it is its class's, else the family's."""
    found = re.search(r"\((.*?), ?(.*?)\)", member)
    return found is not None and {found[1], found[2]} == {wanted}


def loose_members(family: Object, schema: Schema) -> list[str]:
    """Members of a family that are in none of its classes."""
    types = {
        text(c, "type")
        for c in schema.objects
        if c.identity.kind is Kind.OPERATOR_CLASS and family_of(c, schema) is family
    }
    return [m for m in members(family) if not any(_of_types(m, t) for t in types)]


def _operator_family(o: Object, schema: Schema) -> str:
    called = f"{qualified(o.identity.schema, text(o, 'name'))} using {quoted(text(o, 'access method'))}"
    return f"create operator family {called}"


def _collation(o: Object, schema: Schema) -> str:
    a = dict(o.attributes)
    provider = text(o, "provider")
    if provider == "libc":
        said = [f"lc_collate = {literal(text(o, 'collate'))}", f"lc_ctype = {literal(text(o, 'ctype'))}"]
    else:
        said = [f"locale = {literal(text(o, 'locale'))}"] if "locale" in a else []
    if "rules" in a:
        said.append(f"rules = {literal(text(o, 'rules'))}")
    if "deterministic" in a:
        said.append("deterministic = false")
    return f"create collation {name(o.identity)} (provider = {provider}, {', '.join(said)})"


def _cast(o: Object, schema: Schema) -> str:
    how = {
        "function": f"with function {text(o, 'function')}",
        "inout": "with inout",
        "binary": "without function",
    }[text(o, "method")]
    context = text(o, "context")
    return f"create cast ({o.identity.name}) {how}" + ("" if context == "explicit" else f" as {context}")


def _conversion(o: Object, schema: Schema) -> str:
    default = "default " if "default" in o.attributes else ""
    sides = f"{literal(text(o, 'from'))} to {literal(text(o, 'to'))}"
    return f"create {default}conversion {name(o.identity)} for {sides} from {function_name(text(o, 'function'))}"


def _text_search_configuration(o: Object, schema: Schema) -> str:
    return f"create text search configuration {name(o.identity)} (parser = {text(o, 'parser')})"


def _text_search_dictionary(o: Object, schema: Schema) -> str:
    given = f", {text(o, 'options')}" if "options" in o.attributes else ""
    return f"create text search dictionary {name(o.identity)} (template = {text(o, 'template')}{given})"


def _text_search_parser(o: Object, schema: Schema) -> str:
    keys = {
        "start": "start",
        "token": "gettoken",
        "end": "end",
        "headline": "headline",
        "token types": "lextypes",
    }
    return _listed(o, keys, f"create text search parser {name(o.identity)}")


def _text_search_template(o: Object, schema: Schema) -> str:
    return _listed(o, {"init": "init", "lexize": "lexize"}, f"create text search template {name(o.identity)}")


def _language(o: Object, schema: Schema) -> str:
    trusted = "trusted " if "trusted" in o.attributes else ""
    head = f"create {trusted}language {quoted(o.identity.name)}"
    for attribute, key in (("handler", "handler"), ("inline", "inline"), ("validator", "validator")):
        if attribute in o.attributes:
            head += f" {key} {function_name(text(o, attribute))}"
    return head


def _transform(o: Object, schema: Schema) -> str:
    said = [
        f"{attribute} with function {text(o, attribute)}"
        for attribute in ("from sql", "to sql")
        if attribute in o.attributes
    ]
    called = f"for {text(o, 'type')} language {quoted(text(o, 'language'))}"
    return f"create transform {called} ({', '.join(said)})"


def _access_method(o: Object, schema: Schema) -> str:
    return f"create access method {quoted(o.identity.name)} type {text(o, 'type')} handler {text(o, 'handler')}"


def _foreign_data_wrapper(o: Object, schema: Schema) -> str:
    head = f"create foreign data wrapper {quoted(o.identity.name)}"
    for key in ("handler", "validator"):
        if key in o.attributes:
            head += f" {key} {text(o, key)}"
    return head + (f" {options(parts(o.attributes['options']))}" if "options" in o.attributes else "")


def _server(o: Object, schema: Schema) -> str:
    head = f"create server {quoted(o.identity.name)}"
    for key in ("type", "version"):
        if key in o.attributes:
            head += f" {key} {literal(text(o, key))}"
    head += f" foreign data wrapper {quoted(text(o, 'wrapper'))}"
    return head + (f" {options(parts(o.attributes['options']))}" if "options" in o.attributes else "")


def _user_mapping(o: Object, schema: Schema) -> str:
    head = f"create user mapping for {quoted(text(o, 'user'))} server {quoted(text(o, 'server'))}"
    return head + (f" {options(parts(o.attributes['options']))}" if "options" in o.attributes else "")


def _event_trigger(o: Object, schema: Schema) -> str:
    tags = ", ".join(map(literal, parts(o.attributes.get("tags"))))
    when = f"\n    when tag in ({tags})" if tags else ""
    head = f"create event trigger {quoted(o.identity.name)} on {text(o, 'event')}"
    return f"{head}{when}\n    execute function {function_name(text(o, 'function'))}()"


def _publication(o: Object, schema: Schema) -> str:
    head = f"create publication {quoted(o.identity.name)}"
    if "all tables" in o.attributes:
        head += " for all tables"
    elif targets := publication_targets(o):
        head += f" for {targets}"
    return f"{head} with ({publication_parameters(o)})"


def publication_targets(o: Object) -> str:
    """What a publication lists."""
    tables = [f"table {t}" for t in parts(o.attributes.get("tables"))]
    schemas = [f"tables in schema {s}" for s in parts(o.attributes.get("schemas"))]
    return ", ".join([*tables, *schemas])


def publication_parameters(o: Object) -> str:
    said = [f"publish = {literal(text(o, 'publishes'))}"]
    said.append(f"publish_via_partition_root = {str('via partition root' in o.attributes).lower()}")
    if "generated columns" in o.attributes:
        said.append("publish_generated_columns = 'stored'")
    return ", ".join(said)


def _extension(o: Object, schema: Schema) -> str:
    head = f"create extension {quoted(o.identity.name)} schema {text(o, 'schema')}"
    return f"{head} version {literal(text(o, 'version'))}"


def _schema(o: Object, schema: Schema) -> str:
    return f"create schema {quoted(o.identity.name)}"


def _subscription(o: Object, schema: Schema) -> str:
    raise CannotBeMade("the connection of a subscription holds a password and is not read; make it by hand")


_MAKERS: dict[Kind, Callable[[Object, Schema], str]] = {
    Kind.SCHEMA: _schema,
    Kind.EXTENSION: _extension,
    Kind.ENUM: _enum,
    Kind.DOMAIN: _domain,
    Kind.COMPOSITE_TYPE: _composite_type,
    Kind.RANGE: _range,
    Kind.BASE_TYPE: _base_type,
    Kind.COLLATION: _collation,
    Kind.SEQUENCE: _sequence,
    Kind.TABLE: create_table,
    Kind.FOREIGN_TABLE: create_table,
    Kind.VIEW: _view,
    Kind.MATERIALIZED_VIEW: _materialized_view,
    Kind.COLUMN: _create_column,
    Kind.CONSTRAINT: _create_constraint,
    Kind.INDEX: _printed,
    Kind.STATISTICS: _printed,
    Kind.TRIGGER: _printed,
    Kind.RULE: _printed,
    Kind.POLICY: _policy,
    Kind.FUNCTION: _printed,
    Kind.PROCEDURE: _printed,
    Kind.AGGREGATE: _aggregate,
    Kind.OPERATOR: _operator,
    Kind.OPERATOR_CLASS: _operator_class,
    Kind.OPERATOR_FAMILY: _operator_family,
    Kind.CAST: _cast,
    Kind.CONVERSION: _conversion,
    Kind.TEXT_SEARCH_CONFIGURATION: _text_search_configuration,
    Kind.TEXT_SEARCH_DICTIONARY: _text_search_dictionary,
    Kind.TEXT_SEARCH_PARSER: _text_search_parser,
    Kind.TEXT_SEARCH_TEMPLATE: _text_search_template,
    Kind.LANGUAGE: _language,
    Kind.TRANSFORM: _transform,
    Kind.ACCESS_METHOD: _access_method,
    Kind.FOREIGN_DATA_WRAPPER: _foreign_data_wrapper,
    Kind.SERVER: _server,
    Kind.USER_MAPPING: _user_mapping,
    Kind.EVENT_TRIGGER: _event_trigger,
    Kind.PUBLICATION: _publication,
    Kind.SUBSCRIPTION: _subscription,
}
