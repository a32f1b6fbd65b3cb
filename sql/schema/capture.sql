-- What a statement wrote, made out from its transition tables was and changed. Statements for that are executed in the trigger
-- functions, where the transition tables are. To word them takes a look into the catalogue, so that is done once, by the step
-- attach, and they are kept in crmshift.capture.

create table crmshift.capture (
    source    text not null,
    operation text not null constraint operation_is_known check (operation in ('INSERT', 'UPDATE', 'DELETE')),
    queueing  text not null,
    noting    text not null,
    nesting   text not null,
    overtaken text not null,
    primary key (source, operation)
);
comment on table crmshift.capture is 'Statements that make out what a statement wrote, for the trigger functions. Worded by capture_of() when a table gets its triggers.';
comment on column crmshift.capture.source is 'Table that is written.';
comment on column crmshift.capture.operation is 'Kind of statement, as tg_op has it.';
comment on column crmshift.capture.queueing is 'Queues it, instead of syncing it.';
comment on column crmshift.capture.noting is 'Gives what this transaction just queued the old and new values.';
comment on column crmshift.capture.nesting is 'Notes it, inside a sync.';
comment on column crmshift.capture.overtaken is 'Logs what of it a sync of the other side has overwritten meanwhile.';

create function crmshift.pairs_query(of_source text, operation text, looking boolean default false) returns text
language sql stable
as $$
-- looking: also whether the mapping to this table speaks of the row, which may take a look into other tables.
with columns as (
    select format('(select to_jsonb(x) from (select %s) as x)', string_agg(format('t.%I', c.column_name), ', ' order by c.column_name)) as row
      from (select r.column_name from crmshift.mapping_reads as r join crmshift.feed as f on f.mapping = r.mapping
             where f.source = $1 and r.source = $1 and f.mode = 'sync'
             union select c from crmshift.source_subject as s, unnest(s.columns) as c where s.source = $1) as c
), identity as (
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
      from pg_catalog.pg_index as i join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
     where i.indrelid = $1::regclass and i.indisprimary
), spoken as (
    select coalesce((select string_agg(format('(%s)', coalesce(m.only_where, 'true')), ' or ') from crmshift.mapping as m where m.target = $1 and $3), 'true') as of_row
)
select case $2 when 'INSERT' then format('select %s, null::jsonb as o, %s as n, %s as spoken_of from changed as t', i.columns, c.row, s.of_row)
               when 'DELETE' then format('select %s, %s as o, null::jsonb as n, %s as spoken_of from was as t', i.columns, c.row, s.of_row)
               else format('select %1$s, w.r as o, n.r as n, coalesce(w.s, false) or coalesce(n.s, false) as spoken_of '
                           'from (select %1$s, %2$s as r, %3$s as s from was as t) as w '
                           'full join (select %1$s, %2$s as r, %3$s as s from changed as t) as n using (%1$s)', i.columns, c.row, s.of_row) end
  from columns as c, identity as i, spoken as s
$$;
comment on function crmshift.pairs_query(text, text, boolean) is 'A query over the transition tables: primary key of each row, its mapped columns before (o) and after (n), and looking, whether the mapping speaks of it.';

create function crmshift.changes_query(of_source text, operation text, looking boolean default false) returns text
language sql stable
as $$
with subjects as (
    select string_agg(format('(%L, jsonb_build_object(%s), jsonb_build_object(%s), %L::boolean)', s.subject,
                             (select string_agg(format('%L, p.o -> %L', k, c), ', ' order by i) from unnest(s.key, s.columns) with ordinality as u (k, c, i)),
                             (select string_agg(format('%L, p.n -> %L', k, c), ', ' order by i) from unnest(s.key, s.columns) with ordinality as u (k, c, i)),
                             s.whole), ', ') as rows
      from crmshift.source_subject as s where s.source = $1 and s.mode = 'sync'
)
select format($sql$
    select x.subject, x.key, (array_agg(x.op))[1] as op, jsonb_object_agg(c.name, jsonb_build_array(x.o -> c.name, x.n -> c.name)) filter (where x.spoken_of) as changed
      from (select s.subject, k.key,
                   case when not s.whole then 'update' when k.o is null then 'insert' when k.n is null then 'delete' else 'update' end as op, k.o, k.n, p.spoken_of
              from (%1$s) as p
             cross join lateral (values %2$s) as s (subject, was_key, is_key, whole)
             cross join lateral (select s.was_key, p.o, case when s.is_key = s.was_key then p.n end where p.o is not null
                                 union all
                                 select s.is_key, null, p.n where p.n is not null and (p.o is null or s.is_key <> s.was_key)) as k (key, o, n)
             where p.o is distinct from p.n) as x
     cross join lateral (select jsonb_object_keys(coalesce(x.n, x.o))) as c (name)
     where (x.o -> c.name) is distinct from (x.n -> c.name)
     group by x.subject, x.key$sql$, crmshift.pairs_query($1, $2, $3), s.rows)
  from subjects as s
$$;
comment on function crmshift.changes_query(text, text, boolean) is 'A query over the transition tables: subject, key, op and the changed columns.';

create function crmshift.nesting_statement(of_source text, operation text) returns text
language sql stable
as $$
select format('insert into crmshift.sync_queue (subject, key, side, op, reason, table_name, changed) select c.subject, c.key, %L, c.op, ''nested'', %L, c.changed from (%s) as c',
              min(s.side), $1, crmshift.changes_query($1, $2, true))
  from crmshift.source_subject as s where s.source = $1
$$;
comment on function crmshift.nesting_statement(text, text) is 'A statement that notes what a trigger of the application wrote inside a sync.';

create function crmshift.overtaken_statement(of_source text, operation text) returns text
language sql stable
as $$
-- One statement may write both sides of a row (a with that updates contacts and customers), or an application's trigger on the one side the
-- other. The side whose triggers come first wins, for it is synced before the other one's writes are known. What a row no longer
-- holds of what this statement wrote is therefore a conflict, and is logged as one.
select format($sql$
    insert into crmshift.conflict_log (subject, key, kind, policy, winner, losing)
    select s.subject, s.key, case when p.n is null or t.* is null then 'delete_origin_differs' else 'update_origin_differs' end,
           'first_update_wins', %1$L, l.losing
      from (%2$s) as p
      left join %3$s as t on %4$s
     cross join lateral (values %5$s) as s (subject, key)
     cross join lateral (select jsonb_object_agg(c, jsonb_build_array(p.o -> c, p.n -> c)) from jsonb_object_keys(coalesce(p.n, p.o)) as c
                          where c <> all (%6$L::text[]) and (p.o -> c) is distinct from (p.n -> c)
                            and (to_jsonb(t) -> c) is distinct from (p.n -> c)) as l (losing)
     where l.losing is not null$sql$,
              case min(s.side) when 'legacy' then 'target' else 'legacy' end, crmshift.pairs_query($1, $2), $1::regclass,
              (select string_agg(format('t.%1$I = p.%1$I', a.attname), ' and ')
                 from pg_catalog.pg_index as i join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
                where i.indrelid = $1::regclass and i.indisprimary),
              string_agg(format('(%L, jsonb_build_object(%s))', s.subject,
                                (select string_agg(format('%L, coalesce(p.n, p.o) -> %L', k, c), ', ') from unnest(s.key, s.columns) as u (k, c))), ', '),
              array(select distinct c from crmshift.mapping as m, unnest(m.clock) as c where m.target = $1))
  from crmshift.source_subject as s where s.source = $1 and s.mode = 'sync'
$$;
comment on function crmshift.overtaken_statement(text, text) is 'A statement that logs what a statement wrote and a sync of the other side has overwritten meanwhile.';

create function crmshift.queueing_statement(of_source text, operation text) returns text
language sql stable
as $$
-- The parents as well: what hangs on a row may be what makes its parent's row necessary.
select format('with c as (%1$s) insert into crmshift.sync_queue (subject, key, side, op, reason, changed) select c.subject, c.key, %2$L, c.op, ''paused'', c.changed from c',
              crmshift.changes_query($1, $2), min(s.side))
       || coalesce((select string_agg(format(' union all select distinct %L, jsonb_build_object(%s), %L, ''update'', ''parent'', null::jsonb from %I as r', p.subject,
                                             (select string_agg(format('%L, r.%I', k, c), ', ' order by i) from unnest(p.key, p.columns) with ordinality as u (k, c, i)),
                                             p.side, case $2 when 'DELETE' then 'was' else 'changed' end), '')
                      from crmshift.source_subject as p where p.source = $1 and p.mode = 'fill'), '')
  from crmshift.source_subject as s where s.source = $1
$$;
comment on function crmshift.queueing_statement(text, text) is 'A statement that queues what a statement wrote, instead of syncing it.';

create function crmshift.noting_statement(of_source text, operation text) returns text
language sql stable
as $$
select format('update crmshift.sync_queue as q set changed = c.changed, op = c.op from (%s) as c '
              'where q.txid = pg_current_xact_id() and q.reason in (''failed'', ''held'') and q.changed is null and q.subject = c.subject and q.key = c.key',
              crmshift.changes_query($1, $2))
$$;
comment on function crmshift.noting_statement(text, text) is 'A statement that gives what this transaction just queued the old and new values of the columns it had changed.';

create function crmshift.capture_of(of_source text) returns setof crmshift.capture
language sql stable
set search_path = pg_catalog, pg_temp  -- the same words in every session
set quote_all_identifiers = off
as $$
select $1, o, crmshift.queueing_statement($1, o), crmshift.noting_statement($1, o), crmshift.nesting_statement($1, o), crmshift.overtaken_statement($1, o)
  from unnest(array['INSERT', 'UPDATE', 'DELETE']) as o
$$;
comment on function crmshift.capture_of(text) is 'The statements for one table, worded anew.';
