"""Where the microseconds of one single-row write of contacts go, found in three ways, commits not waiting for the disk:

by ablation: the same write on databases where ever less of the sync is replaced by nothing, from no trigger to all of it;
by PostgreSQL's own account of functions (track_functions), which makes each call a little slower than it is;
by executing the parts of a sync by themselves, in a loop inside the database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import psycopg
from psycopg import sql

from bench.case import turned
from bench.databases import Databases, Template, calm, connect, text, without_sync
from bench.pgbench import Load, Script, usual
from bench.scale import Scale

SCRIPTS = ("status", "address")  # one changes the lead, the other the customer
LOOPS = 5_000

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True)
class Rung:
    """A database with a part of the sync: what it has more than the one before, and what is taken away from the whole."""

    name: str
    more: str
    take_away: Callable[[Connection], None]


def run(databases: Databases, scale: Scale) -> str:
    """All three tables."""
    template = Template(scale.contacts, True, "parallel-operation")
    return "\n\n".join(
        [
            "By ablation, µs of one write (medians)\n\n" + _by_ablation(databases, template, scale),
            "By track_functions, µs of one write\n\n" + _by_function(databases, template, scale),
            f"Parts by themselves, µs each (mean of {LOOPS:,})\n\n" + _by_part(databases, template),
        ]
    )


def _ladder() -> list[Rung]:
    def writers_do_nothing(conn: Connection) -> None:
        for writer in ("sync_customers", "sync_leads"):
            _replace(conn, writer, "return cardinality($1);")

    def leads_are_left_alone(conn: Connection) -> None:
        _replace(conn, "sync_leads", "return cardinality($1);")
        _drop_triggers(conn, "%")

    return [
        Rung("none", "the statement itself, without any trigger", lambda conn: None),
        Rung("fired", "triggers fire, old and new row are kept", lambda c: _replace(c, "tg_contacts", "return null;", plain=True)),
        Rung("settings", "the trigger's rights and settings", lambda c: _replace(c, "tg_contacts", "return null;")),
        Rung("keys", "its keys, and the control row", lambda c: _replace(c, "sync_from_contacts", "return 0;")),
        Rung("block", "the protected block, queue, deferrable constraints", writers_do_nothing),
        Rung(
            "customers",
            "sync_customers, no trigger there",
            leads_are_left_alone,
        ),
        Rung("leads", "sync_leads, no trigger there", lambda c: _drop_triggers(c, "%")),
        Rung("echo", "sync triggers there, which see their own writer", lambda c: _drop_triggers(c, "%", but="crmshift_sync_%")),
        Rung("all", "triggers of the primary lead: this is all of it", lambda conn: None),
    ]  # fmt: skip


def _by_ablation(databases: Databases, template: Template, scale: Scale) -> str:
    ladder = _ladder()
    dsns = {}
    for rung in ladder:
        dsns[rung.name] = databases.clone(template, f"profile_{rung.name}")
        if rung.name == "none":
            without_sync(dsns[rung.name])
        with connect(dsns[rung.name]) as conn:
            rung.take_away(conn)
    dsns["row_trigger"] = databases.clone(template, "profile_row_trigger")
    without_sync(dsns["row_trigger"])
    with connect(dsns["row_trigger"]) as conn:
        conn.execute(text("peers/row_trigger"))
    took: dict[tuple[str, str], list[float]] = {(name, script): [] for name in dsns for script in SCRIPTS}
    for number in range(scale.rounds):
        for name in turned(tuple(dsns), number):
            calm(dsns[name])
            for script in SCRIPTS:
                took[name, script].append(_microseconds(databases, dsns[name], script, scale))
    medians = {key: median(values) for key, values in took.items()}
    lines = [
        "| what is there more | " + " | ".join(f"{s}, µs | added" for s in SCRIPTS) + " |",
        "|---|---|---|---|---|",
    ]
    before = dict.fromkeys(SCRIPTS, 0.0)
    for rung in ladder:
        columns = []
        for script in SCRIPTS:
            now = medians[rung.name, script]
            columns.append(f"{now:.0f} | {now - before[script]:+.0f}")
            before[script] = now
        lines.append(f"| {rung.more} | {' | '.join(columns)} |")
    peer = " | ".join(f"{medians['row_trigger', script]:.0f} | " for script in SCRIPTS)
    lines.append(f"| (the hand-written row trigger) | {peer} |")
    databases.drop(*(f"profile_{name}" for name in dsns))
    return "\n".join(lines)


def _by_function(databases: Databases, template: Template, scale: Scale) -> str:
    lines = ["| write | function | calls | itself | with what it calls |", "|---|---|---|---|---|"]
    for script in SCRIPTS:
        name = "profile_functions"
        dsn = databases.clone(template, name)
        with connect(dsn) as conn:
            conn.execute(sql.SQL("alter database {} set track_functions = 'all'").format(sql.Identifier(name)))
        calm(dsn)
        _microseconds(databases, dsn, script, scale)
        with connect(dsn) as conn:
            rows = conn.execute(
                "select schemaname || '.' || funcname, calls / %(n)s, self_time * 1000 / %(n)s, total_time * 1000 / %(n)s "
                "from pg_stat_user_functions where calls >= %(n)s / 10 order by self_time desc",
                {"n": float(scale.transactions)},
            ).fetchall()
        lines += [f"| {script} | {f} | {calls:.1f} | {itself:.1f} | {total:.1f} |" for f, calls, itself, total in rows]
        databases.drop(name)
    return "\n".join(lines)


def _by_part(databases: Databases, template: Template) -> str:
    dsn = databases.clone(template, "profile_parts")
    lines = ["| part | µs |", "|---|---|"]
    with connect(dsn) as conn:
        nothing = _loop(conn, "", template.contacts)
        for part, statement in _parts(conn).items():
            lines.append(f"| {part} | {_loop(conn, statement, template.contacts) - nothing:.1f} |")
    databases.drop("profile_parts")
    return "\n".join(lines)


def _parts(conn: Connection) -> dict[str, str]:
    """What a sync does, as statements of plpgsql; those that are not derived are as sql/schema has them."""
    parts = {}
    for name, target, key, only in conn.execute(
        "select m.name, m.target, m.key[1], ' and ' || m.only_where from crmshift.mapping as m "
        "join crmshift.feed as f on f.mapping = m.name "
        "where f.source = 'public.contacts' and f.mode = 'sync' order by m.position"
    ).fetchall():
        read = f"from crmshift.{name}_expected as e left join {target} as t on t.{key} = e.{key}{only or ''} where e.{key} = id"
        parts[f"reading {name}_expected beside {target}"] = f"select e.*, t.{key} into one {read};"
        parts[f"reading {target} alone"] = f"select t.* into one from {target} as t where t.{key} = id{only or ''};"
    return parts | {
        "reading public.contacts alone": "select c.* into one from public.contacts as c where c.id = id;",
        "the control row": (
            "select coalesce(bool_or(c.paused or c.mode = 'queued') filter (where c.entity in ('customer', 'lead')), false) as later, "
            "coalesce(bool_or(c.on_error = 'raise') filter (where c.entity in ('customer', 'lead')), false) as raising "
            "into one from crmshift.sync_control as c;"
        ),
        "whether the queue is empty": "if exists (select from crmshift.sync_queue) then null; end if;",
        "whether there are deferrable constraints": (
            "if exists (select from pg_catalog.pg_trigger as t where t.tgrelid in ('public.customers'::regclass, 'public.leads'::regclass) "
            "and t.tgdeferrable and t.tgname not like 'crmshift\\_%') then null; end if;"
        ),
        "one set_config": "said := set_config('crmshift.depth', '1', true);",
        "one current_setting": "said := current_setting('crmshift.depth', true);",
        "an empty protected block": "begin said := ''; exception when others then said := 'x'; end;",
    }


def _loop(conn: Connection, statement: str, contacts: int) -> float:
    """Microseconds of a statement, executed in a loop with the plan that functions of crmshift use."""
    conn.execute(
        f"""
        create or replace function public.bench_loop(times integer) returns double precision language plpgsql
        set plan_cache_mode = force_generic_plan as $loop$
        #variable_conflict use_column
        declare id uuid; one record; said text; began timestamptz;
        begin
            for pass in 1 .. 2 loop  -- the first one plans and warms
                began := clock_timestamp();
                for i in 1 .. times loop
                    id := md5((i * 7919 % {contacts} + 1)::text)::uuid;
                    {statement.replace("= id", "= bench_loop.id")}
                end loop;
            end loop;
            return extract(epoch from clock_timestamp() - began) * 1e6 / times;
        end $loop$
        """.replace("declare id", "<<bench_loop>>\n        declare id").encode()
    )
    values = []
    for _ in range(3):
        row = conn.execute("select public.bench_loop(%s)", [LOOPS]).fetchone()
        assert row is not None
        values.append(float(str(row[0])))
    return min(values)


def _microseconds(databases: Databases, dsn: str, script: str, scale: Scale) -> float:
    load = Load(databases.server, dsn, [Script(script)], {"contacts": scale.contacts}, durable=False)
    ms = load.run(transactions=scale.transactions).milliseconds()
    return usual(ms[len(ms) // 20 :]) * 1000


def _replace(conn: Connection, function: str, body: str, *, plain: bool = False) -> None:
    """Let a function do nothing; plain: without its rights and settings, too."""
    row = conn.execute(
        "select pg_get_functiondef(p.oid), p.oid::regprocedure::text from pg_proc as p "
        "where p.pronamespace = 'crmshift'::regnamespace and p.proname = %s",
        [function],
    ).fetchone()
    if row is None:
        raise SystemExit(
            f"There is no function crmshift.{function} any more: tell bench/profile.py what took its place."
        )
    definition, identity = str(row[0]), row[1]
    conn.execute(f"{definition.partition('AS $function$')[0]}AS $function$ begin {body} end $function$".encode())
    if plain:
        conn.execute(f"alter function {identity} security invoker reset all".encode())


def _drop_triggers(conn: Connection, like: str, but: str = "") -> None:
    """Drop crmshift's triggers on customers and leads."""
    found = conn.execute(
        "select format('drop trigger %%I on %%s', t.tgname, t.tgrelid::regclass) from pg_trigger as t "
        "join pg_proc as p on p.oid = t.tgfoid where not t.tgisinternal and p.pronamespace = 'crmshift'::regnamespace "
        "and t.tgrelid in ('public.customers'::regclass, 'public.leads'::regclass) and t.tgname like %s and t.tgname not like %s",
        [like, but],
    ).fetchall()
    for (statement,) in found:
        conn.execute(str(statement).encode())
