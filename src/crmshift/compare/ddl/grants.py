"""GRANT and REVOKE, from what differs from PostgreSQL's own default: `SELECT to app`, `no EXECUTE to PUBLIC`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from crmshift.compare.ddl.address import RELATIONS, ROUTINES, TYPES, address, holder, name, parts, text
from crmshift.compare.ddl.names import quoted
from crmshift.compare.model import Kind, Object

_GRANT = re.compile(r"(?P<no>no )?(?P<privilege>[A-Z ]+?) to (?P<role>.+?)(?P<option> with grant option)?")


@dataclass(frozen=True)
class Grant:
    """One privilege of one role, as it differs from the default."""

    taken: bool
    privilege: str
    role: str
    option: bool

    @classmethod
    def parse(cls, given: str) -> Grant:
        found = _GRANT.fullmatch(given)
        assert found is not None, given
        return cls(bool(found["no"]), found["privilege"].lower(), found["role"], bool(found["option"]))


def grants(o: Object, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """The statements that take an object's grants from one to the other."""
    column = o.identity.kind is Kind.COLUMN
    on = f"table {holder(o)}" if column else _subject(o)
    part = f" ({quoted(o.identity.name)})" if column else ""
    owner = quoted(text(o, "owner")) if text(o, "owner") else "current_user"
    for give, privileges, role, option in _steps(old, new):
        listed = ", ".join(f"{p}{part}" for p in privileges)
        whom = {"its owner": owner, "PUBLIC": "public"}.get(role, role)
        yield _said(give, listed, f"on {on}", whom, option)


def default_privileges(o: Object, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """ALTER DEFAULT PRIVILEGES, likewise."""
    given_by, things = text(o, "role"), o.identity.name.rpartition(" for ")[2]
    where = f" in schema {quoted(o.identity.schema)}" if o.identity.schema else ""
    for give, privileges, role, option in _steps(old, new):
        whom = {"its owner": given_by, "PUBLIC": "public"}.get(role, role)
        said = _said(give, ", ".join(privileges), f"on {things}", whom, option)
        yield f"alter default privileges for role {given_by}{where} {said}"


_THINGS = {
    **dict.fromkeys(RELATIONS, "tables"),
    **dict.fromkeys(ROUTINES, "functions"),
    **dict.fromkeys(TYPES, "types"),
    Kind.SEQUENCE: "sequences",
    Kind.SCHEMA: "schemas",
}


def without_defaults(o: Object, defaults: Iterable[Object]) -> Iterator[str]:
    """What takes back from a new object that default privileges gave, or took, as it was made."""
    things = _THINGS.get(o.identity.kind)
    roles: set[str] = set()
    given_back: list[str] = []
    for default in defaults:
        if default.identity.schema not in ("", o.identity.schema) or not default.identity.name.endswith(
            f" for {things}"
        ):
            continue
        for g in map(Grant.parse, parts(default.attributes.get("grants"))):
            if not g.taken and g.role != "its owner":
                roles.add("public" if g.role == "PUBLIC" else g.role)
            elif g.taken and g.role == "PUBLIC":
                given_back.append(g.privilege)
    if roles:
        yield f"revoke all on {_subject(o)} from {', '.join(sorted(roles))}"
    if given_back:
        yield f"grant {', '.join(sorted(set(given_back)))} on {_subject(o)} to public"


def _steps(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[bool, list[str], str, bool]]:
    """Gives or takes, which privileges, whose, and whether it is about the grant option. Those of one role together."""
    before, after = ([Grant.parse(g) for g in given] for given in (old, new))
    stays = {(g.privilege, g.role): g for g in after}
    steps: dict[tuple[bool, str, bool], list[str]] = {}
    for g in before:
        then = stays.get((g.privilege, g.role))
        if then == g:
            continue
        if then is None:
            steps.setdefault((g.taken, g.role, False), []).append(g.privilege)
        elif g.option and not then.option and not then.taken:
            steps.setdefault((False, g.role, True), []).append(g.privilege)
    for g in after:
        before_it = next((b for b in before if (b.privilege, b.role) == (g.privilege, g.role)), None)
        if before_it == g or (before_it is not None and before_it.option and not g.option and not g.taken):
            continue
        steps.setdefault((not g.taken, g.role, g.option), []).append(g.privilege)
    return ((give, privileges, role, option) for (give, role, option), privileges in steps.items())


def _said(give: bool, privileges: str, on: str, role: str, option: bool) -> str:
    if give:
        return f"grant {privileges} {on} to {role}" + (" with grant option" if option else "")
    return f"revoke {'grant option for ' if option else ''}{privileges} {on} from {role}"


def _subject(o: Object) -> str:
    kind = o.identity.kind
    if kind in RELATIONS:
        return f"table {name(o.identity)}"
    if kind is Kind.SERVER:
        return f"foreign server {quoted(o.identity.name)}"
    if kind in ROUTINES:
        return address(o).replace(f"{kind} ", "procedure " if kind is Kind.PROCEDURE else "function ", 1)
    if kind in TYPES:
        return f"type {name(o.identity)}"
    return address(o)
