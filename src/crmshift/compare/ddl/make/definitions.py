"""CREATE of what PostgreSQL prints as a whole, and of views and policies."""

from __future__ import annotations

from crmshift.compare.ddl.address import as_text, holder, name, parts, text
from crmshift.compare.ddl.make.options import storage_options
from crmshift.compare.ddl.names import quoted
from crmshift.compare.ddl.statement import CannotBeMade
from crmshift.compare.model import Kind, Object, Schema


def printed(o: Object, schema: Schema) -> str:
    definition = text(o, "full definition") or text(o, "definition")
    if not definition:
        raise CannotBeMade("its definition was not read")
    return definition.rstrip().rstrip(";") if o.identity.kind is Kind.RULE else definition


def make_view(o: Object, schema: Schema) -> str:
    return view(o)


def view(o: Object, *, replace: bool = False) -> str:
    """CREATE VIEW."""
    given = f" with ({storage_options(parts(o.attributes['options']))})" if "options" in o.attributes else ""
    query = text(o, "definition").strip().rstrip(";")
    return f"create {'or replace ' if replace else ''}view {name(o.identity)}{given} as\n{query}"


def materialized_view(o: Object, schema: Schema) -> str:
    head = f"create materialized view {name(o.identity)}"
    if "access method" in o.attributes:
        head += f" using {quoted(text(o, 'access method'))}"
    if "options" in o.attributes:
        head += f" with ({storage_options(parts(o.attributes['options']))})"
    if "tablespace" in o.attributes:
        head += f" tablespace {quoted(text(o, 'tablespace'))}"
    query = text(o, "definition").strip().rstrip(";")
    return f"{head} as\n{query}" + ("\nwith no data" if "populated" in o.details else "")


def policy(o: Object, schema: Schema) -> str:
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
