"""CREATE of what is seldom made by hand."""

from __future__ import annotations

import re

from crmshift.compare.ddl.address import name, parts, text
from crmshift.compare.ddl.make.names_of_functions import function_name
from crmshift.compare.ddl.make.options import options
from crmshift.compare.ddl.names import literal, qualified, quoted
from crmshift.compare.ddl.statement import CannotBeMade
from crmshift.compare.model import Kind, Object, Schema


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


def aggregate(o: Object, schema: Schema) -> str:
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


def operator(o: Object, schema: Schema) -> str:
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


def operator_class(o: Object, schema: Schema) -> str:
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


def operator_family(o: Object, schema: Schema) -> str:
    called = f"{qualified(o.identity.schema, text(o, 'name'))} using {quoted(text(o, 'access method'))}"
    return f"create operator family {called}"


def collation(o: Object, schema: Schema) -> str:
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


def cast(o: Object, schema: Schema) -> str:
    how = {
        "function": f"with function {text(o, 'function')}",
        "inout": "with inout",
        "binary": "without function",
    }[text(o, "method")]
    context = text(o, "context")
    return f"create cast ({o.identity.name}) {how}" + ("" if context == "explicit" else f" as {context}")


def conversion(o: Object, schema: Schema) -> str:
    default = "default " if "default" in o.attributes else ""
    sides = f"{literal(text(o, 'from'))} to {literal(text(o, 'to'))}"
    return f"create {default}conversion {name(o.identity)} for {sides} from {function_name(text(o, 'function'))}"


def text_search_configuration(o: Object, schema: Schema) -> str:
    return f"create text search configuration {name(o.identity)} (parser = {text(o, 'parser')})"


def text_search_dictionary(o: Object, schema: Schema) -> str:
    given = f", {text(o, 'options')}" if "options" in o.attributes else ""
    return f"create text search dictionary {name(o.identity)} (template = {text(o, 'template')}{given})"


def text_search_parser(o: Object, schema: Schema) -> str:
    keys = {
        "start": "start",
        "token": "gettoken",
        "end": "end",
        "headline": "headline",
        "token types": "lextypes",
    }
    return _listed(o, keys, f"create text search parser {name(o.identity)}")


def text_search_template(o: Object, schema: Schema) -> str:
    return _listed(o, {"init": "init", "lexize": "lexize"}, f"create text search template {name(o.identity)}")


def language(o: Object, schema: Schema) -> str:
    trusted = "trusted " if "trusted" in o.attributes else ""
    head = f"create {trusted}language {quoted(o.identity.name)}"
    for attribute, key in (("handler", "handler"), ("inline", "inline"), ("validator", "validator")):
        if attribute in o.attributes:
            head += f" {key} {function_name(text(o, attribute))}"
    return head


def transform(o: Object, schema: Schema) -> str:
    said = [
        f"{attribute} with function {text(o, attribute)}"
        for attribute in ("from sql", "to sql")
        if attribute in o.attributes
    ]
    called = f"for {text(o, 'type')} language {quoted(text(o, 'language'))}"
    return f"create transform {called} ({', '.join(said)})"


def access_method(o: Object, schema: Schema) -> str:
    return f"create access method {quoted(o.identity.name)} type {text(o, 'type')} handler {text(o, 'handler')}"


def foreign_data_wrapper(o: Object, schema: Schema) -> str:
    head = f"create foreign data wrapper {quoted(o.identity.name)}"
    for key in ("handler", "validator"):
        if key in o.attributes:
            head += f" {key} {text(o, key)}"
    return head + (f" {options(parts(o.attributes['options']))}" if "options" in o.attributes else "")


def server(o: Object, schema: Schema) -> str:
    head = f"create server {quoted(o.identity.name)}"
    for key in ("type", "version"):
        if key in o.attributes:
            head += f" {key} {literal(text(o, key))}"
    head += f" foreign data wrapper {quoted(text(o, 'wrapper'))}"
    return head + (f" {options(parts(o.attributes['options']))}" if "options" in o.attributes else "")


def user_mapping(o: Object, schema: Schema) -> str:
    head = f"create user mapping for {quoted(text(o, 'user'))} server {quoted(text(o, 'server'))}"
    return head + (f" {options(parts(o.attributes['options']))}" if "options" in o.attributes else "")


def event_trigger(o: Object, schema: Schema) -> str:
    tags = ", ".join(map(literal, parts(o.attributes.get("tags"))))
    when = f"\n    when tag in ({tags})" if tags else ""
    head = f"create event trigger {quoted(o.identity.name)} on {text(o, 'event')}"
    return f"{head}{when}\n    execute function {function_name(text(o, 'function'))}()"


def publication(o: Object, schema: Schema) -> str:
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


def extension(o: Object, schema: Schema) -> str:
    head = f"create extension {quoted(o.identity.name)} schema {text(o, 'schema')}"
    return f"{head} version {literal(text(o, 'version'))}"


def schema(o: Object, schema: Schema) -> str:
    return f"create schema {quoted(o.identity.name)}"


def subscription(o: Object, schema: Schema) -> str:
    raise CannotBeMade("the connection of a subscription holds a password and is not read; make it by hand")
