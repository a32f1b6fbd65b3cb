"""What is lost of who may do what: row-level security, policies and grants without a counterpart on the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from psycopg import sql

from crmshift.compare.mapped import expressions
from crmshift.compare.mapped.definitions import bare
from crmshift.compare.mapped.expressions import CannotRewriteError
from crmshift.compare.mapped.losses import Aspect, Loss
from crmshift.compare.mapped.names import identifier, table_identifier
from crmshift.compare.mapped.sides import Sides
from crmshift.compare.mapped.types import Verdict
from crmshift.compare.model import Kind, Object, Value

WITH_OPTION = " with grant option"


def losses(sides: Sides, table: str) -> Iterator[Loss]:
    """For each table of the target that the rows of a legacy table go to."""
    for target in sides.targets(table):
        yield from _row_level_security(sides, table, target)
        yield from _policies(sides, table, target)
        yield from _grants(sides, table, target)
    yield from _column_grants(sides, table)


def notes(sides: Sides, table: str) -> Iterator[str]:
    """What the target asks of those who read it, and legacy does not."""
    if sides.restricts_rows(table):
        return
    restricted = [t for t in sides.targets(table) if sides.restricts_rows(t)]
    if restricted:
        yield f"row-level security is off here and on for {', '.join(restricted)}: roles see there what policies let through"


# --- row-level security -------------------------------------------------------------------------------------------------


def _row_level_security(sides: Sides, table: str, target: str) -> Iterator[Loss]:
    here, there = sides.table(table).attributes, sides.table(target).attributes
    for attribute, words, what in (
        ("row-level security", "enable", "restricts rows here, and not in"),
        ("row-level security for the owner", "force", "holds for the owner too here, and not in"),
    ):
        if attribute in here and attribute not in there:
            made = sql.SQL("alter table {} {} row level security").format(table_identifier(target), sql.SQL(words))
            yield Loss(
                Aspect.ROW_LEVEL_SECURITY,
                Verdict.LOST,
                table,
                f"{what} {target}",
                target=target,
                offer=(made.as_string(),),
            )


def _policies(sides: Sides, table: str, target: str) -> Iterator[Loss]:
    if not sides.restricts_rows(table):
        return
    theirs = sides.parts(target, Kind.POLICY)
    renaming = sides.renaming(table, target, exact=True)
    for policy in sides.parts(table, Kind.POLICY):
        given = policy.attributes
        try:
            conditions = {
                part: expressions.rewritten(str(given[part]), renaming, sides.elsewhere)
                for part in ("using", "with check")
                if part in given
            }
        except CannotRewriteError as error:
            yield _policy_lost(table, target, policy, (), str(error))
            continue
        if not any(_says_as_much(sides, own.attributes, given, conditions) for own in theirs):
            made = _make_policy(target, policy, conditions, {o.identity.name for o in theirs}, table)
            yield _policy_lost(table, target, policy, (made,), None)


def _policy_lost(table: str, target: str, policy: Object, offer: tuple[str, ...], why: str | None) -> Loss:
    what = f"what this policy says of {table}, none says of {target}"
    name = policy.identity.name
    return Loss(
        Aspect.POLICY, Verdict.LOST, table, what, (), name, target, offer=offer, no_offer=why, needs=policy.depends_on
    )


def _says_as_much(
    sides: Sides, own: Mapping[str, Value], given: Mapping[str, Value], conditions: Mapping[str, str]
) -> bool:
    """Whether a policy of the target is that of legacy: kind, command, roles, conditions."""

    def both(using: str | None, check: str | None) -> tuple[str, str]:
        return expressions.canonical(using), expressions.canonical(check or using)

    roles = set(map(bare, own.get("to", ())))
    return (
        own.get("restrictive") == given.get("restrictive")
        and own.get("for") in ("all", given.get("for"))
        and all(
            any(r == "public" or sides.roles.includes(bare(role), r) for r in roles) for role in given.get("to", ())
        )
        and both(_text(own, "using"), _text(own, "with check"))
        == both(conditions.get("using"), conditions.get("with check"))
    )


def _text(attributes: Mapping[str, Value], name: str) -> str | None:
    value = attributes.get(name)
    return None if value is None else str(value)


def _make_policy(target: str, policy: Object, conditions: Mapping[str, str], taken: set[str], table: str) -> str:
    name = policy.identity.name
    if name in taken:
        name = f"{name}_of_{table.rpartition('.')[2]}"
    parts = [sql.SQL("create policy {} on {}").format(identifier(name), table_identifier(target))]
    if "restrictive" in policy.attributes:
        parts.append(sql.SQL("as restrictive").format())
    if policy.attributes.get("for") != "all":
        parts.append(sql.SQL("for {}").format(sql.SQL(str(policy.attributes["for"]))))
    # Roles are quoted already where they have to be.
    parts.append(sql.SQL("to {}").format(sql.SQL(", ".join(policy.attributes.get("to", ())))))
    for part, text in conditions.items():
        parts.append(sql.SQL("{} ({})").format(sql.SQL(part), sql.SQL(text)))
    return sql.SQL(" ").join(parts).as_string()


# --- grants -------------------------------------------------------------------------------------------------------------


def _grants(sides: Sides, table: str, target: str) -> Iterator[Loss]:
    there = [*_granted(sides.table(target)), *_given_later(sides, target)]
    missing: dict[str, list[str]] = {}
    for privilege, role in _granted(sides.table(table)):
        if not _may(sides, target, role, privilege, there):
            missing.setdefault(role, []).append(privilege)
    for role, privileges in missing.items():
        yield _grant_lost(sides, table, target, role, privileges)


def _granted(o: Object) -> list[tuple[str, str]]:
    """Privilege and role of each grant, without the owner's own."""
    grants = o.attributes.get("grants", ())
    found = []
    for grant in grants if isinstance(grants, tuple) else (grants,):
        privilege, _, role = grant.removesuffix(WITH_OPTION).partition(" to ")
        if not privilege.startswith("no ") and role != "its owner":
            found.append((privilege, bare(role)))
    return found


def _given_later(sides: Sides, target: str) -> list[tuple[str, str]]:
    """What default privileges will grant on a table that is not made yet."""
    if target not in sides.coming:
        return []
    found = []
    for grant in (*sides.given.get(target.partition(".")[0], ()), *sides.given.get("", ())):
        privilege, _, role = grant.removesuffix(WITH_OPTION).partition(" to ")
        found.append((privilege, bare(role)))
    return found


def _may(sides: Sides, target: str, role: str, privilege: str, granted: list[tuple[str, str]]) -> bool:
    """Whether a role may do something on the target anyway: as a superuser, its owner, or by a grant to it or to a role it is of."""
    owner = str(sides.table(target).attributes.get("owner", ""))
    return (
        role in sides.roles.superusers
        or (role != "PUBLIC" and sides.roles.includes(role, owner))
        or any(p == privilege and (r == role or sides.roles.includes(role, r)) for p, r in granted)
    )


def _grant_lost(
    sides: Sides, table: str, target: str, role: str, privileges: list[str], columns: tuple[str, ...] = ()
) -> Loss:
    listed = ", ".join(privileges)
    made: tuple[str, ...] = ()
    why = None
    if role == "PUBLIC":
        why = "nothing of the target is granted to everybody: grant it to the roles that need it"
    else:
        made = (_make_grant(target, role, privileges, sides, table, columns),)
    which = f" of {', '.join(columns)}" if columns else ""
    return Loss(
        Aspect.GRANT,
        Verdict.LOST,
        table,
        f"{role} may {listed}{which} here, and not in {target}",
        columns,
        role,
        target,
        offer=made,
        no_offer=why,
    )


def _make_grant(
    target: str, role: str, privileges: list[str], sides: Sides, table: str, columns: tuple[str, ...]
) -> str:
    names = sides.renaming(table, target).columns
    listed = [sql.SQL(p.lower()).format() for p in privileges]
    if columns:
        within = sql.SQL(", ").join(identifier(names[c]) for c in columns)
        listed = [sql.SQL("{} ({})").format(p, within) for p in listed]
    grant = sql.SQL("grant {} on {} to {}")
    return grant.format(sql.SQL(", ").join(listed), table_identifier(target), identifier(role)).as_string()


def _column_grants(sides: Sides, table: str) -> Iterator[Loss]:
    """Grants on single columns, by role and the table their columns go to."""
    missing: dict[tuple[str, str], dict[str, list[str]]] = {}
    for name, column in sides.columns(table).items():
        for privilege, role in _granted(column):
            for way in sides.arrivals(table, name, only_passed=True):
                if way.column is None or way.table not in sides.targets(table):
                    continue
                there = [
                    *_granted(sides.table(way.table)),
                    *_granted(sides.columns(way.table)[way.column]),
                    *_given_later(sides, way.table),
                ]
                if not _may(sides, way.table, role, privilege, there):
                    missing.setdefault((way.table, role), {}).setdefault(privilege, []).append(name)
    for (target, role), by_privilege in missing.items():
        for privilege, columns in by_privilege.items():
            yield _grant_lost(sides, table, target, role, [privilege], tuple(dict.fromkeys(columns)))
