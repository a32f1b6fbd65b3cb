-- Repair: keys that drifted are handed to the writers. Every row that this changes is logged as it was and as it became, so that
-- a run can be taken back.

create table crmshift.repair_run (
    id           bigint generated always as identity primary key,
    at           timestamptz not null default clock_timestamp(),
    side         text not null constraint side_is_known check (side in ('legacy', 'target')),
    workspace_id uuid,
    planned      jsonb not null default '{}',
    actor        text not null default session_user,
    finished_at  timestamptz,
    undone_at    timestamptz
);
comment on table crmshift.repair_run is 'Each repair. To forget one, and the values of customers in its log: delete it.';
comment on column crmshift.repair_run.at is 'When it began.';
comment on column crmshift.repair_run.side is 'Side that was taken to be right.';
comment on column crmshift.repair_run.workspace_id is 'The workspace it was restricted to; null for all.';
comment on column crmshift.repair_run.planned is 'Keys that drifted when it began, as {mapping: {kind: number}}.';
comment on column crmshift.repair_run.actor is 'Database role that ran it.';
comment on column crmshift.repair_run.finished_at is 'When it ended; null where it was interrupted: the next one begins anew.';
comment on column crmshift.repair_run.undone_at is 'When all that could be was taken back.';

create table crmshift.repair_key (
    id      bigint generated always as identity primary key,
    run     bigint not null references crmshift.repair_run on delete cascade,
    mapping text not null,
    kind    text not null,
    key     jsonb not null
);
create index repair_key_next_idx on crmshift.repair_key (run, mapping, kind, id);
comment on table crmshift.repair_key is 'Keys that a repair has still to hand to the writers. Each goes when it is handed over, in the same transaction.';
comment on column crmshift.repair_key.kind is 'missing, extra or differs, as crmshift.drift() says.';

create table crmshift.repair_log (
    id         bigint generated always as identity primary key,
    run        bigint not null references crmshift.repair_run on delete cascade,
    txid       xid8 not null default pg_current_xact_id(),
    mapping    text not null,
    table_name text not null,
    key        jsonb not null,
    kind       text generated always as (case when before is null then 'missing' when after is null then 'extra' else 'differs' end) stored,
    before     jsonb,
    after      jsonb,
    at         timestamptz not null default clock_timestamp(),
    outcome    text constraint outcome_is_known check (outcome in ('undone', 'changed since', 'refused')),
    sqlstate   text,
    constraint row_was_changed check (before is distinct from after)
);
create index repair_log_left_idx on crmshift.repair_log (run, id) where outcome is null;
create index repair_log_batch_idx on crmshift.repair_log (run, txid);
comment on table crmshift.repair_log is 'Every row that a repair changed, with what hung on it: as it was, and as it became. Values of customers.';
comment on column crmshift.repair_log.txid is 'Transaction of the batch: its rows are taken back together.';
comment on column crmshift.repair_log.mapping is 'Mapping whose key was handed over.';
comment on column crmshift.repair_log.table_name is 'Table of the row: that of the mapping, of a parent or child, or of what the writers prepare.';
comment on column crmshift.repair_log.key is 'Its primary key.';
comment on column crmshift.repair_log.kind is 'missing: the row was inserted. extra: it was deleted. differs: it was updated.';
comment on column crmshift.repair_log.before is 'The row as it was; null where there was none.';
comment on column crmshift.repair_log.after is 'The row as it became; null where it was deleted.';
comment on column crmshift.repair_log.outcome is 'Null until somebody takes the run back. undone: it is as it was. changed since: somebody wrote it after the repair, and it is left. refused: see sqlstate; left too.';
comment on column crmshift.repair_log.sqlstate is 'Why it could not be taken back.';

create function crmshift.authority() returns text
language sql stable
as $$
-- Applications move over in traffic-migration, workspace by workspace: while they do, no side has the last word on all.
select case when bool_or(s.phase = 'legacy-deprecation') then 'target' when bool_or(s.phase = 'traffic-migration') then null else 'legacy' end
  from crmshift.step_state as s where s.state in ('applied', 'running')
$$;
comment on function crmshift.authority() is 'The side that has the last word now, as the ledger tells: legacy until traffic-migration begins, target from legacy-deprecation on, null between.';

create function crmshift.repair_drift(of_side text, of_workspace uuid default null)
returns table (mapping text, "position" integer, kind text, key jsonb)
language plpgsql stable
as $$
-- What drifted, and does not stand in the queue. A legacy table that does not know its workspace is asked by way of the target.
declare
    m record;
    waiting boolean := exists (select from crmshift.sync_queue);
begin
    perform crmshift.refuse_partial_view();
    for m in select g.name, g.position,
                    of_workspace is null or exists (select from pg_catalog.pg_attribute as a where a.attname = 'workspace_id'
                                                       and a.attrelid = to_regclass(format('crmshift.%I', g.name || '_expected'))) as knows
               from crmshift.mapping as g where g.direction = case of_side when 'legacy' then 'to_target' else 'to_legacy' end order by g.position loop
        return query
        select m.name, m.position, d.kind, d.key
          from crmshift.drift(m.name, case when m.knows then of_workspace end) as d
         where (not waiting or not crmshift.is_outstanding(m.name, d.key))
           and (m.knows or d.key in (
                select crmshift.rename_keys(jsonb_build_array(o.key), s.columns, s.key) -> 0
                  from crmshift.mapping_subject as s
                  join crmshift.mapping as t on t.name = s.mapping and t.direction = 'to_target'
                 cross join lateral crmshift.drift(t.name, of_workspace) as o
                 where s.subject = m.name));
    end loop;
end
$$;
comment on function crmshift.repair_drift(text, uuid) is 'The keys that a repair from this side would hand over: select mapping, kind, count(*) from crmshift.repair_drift(''legacy'') group by 1, 2.';

create function crmshift.repair_start(of_side text, of_workspace uuid default null) returns bigint
language plpgsql
as $$
-- Note what drifted, all at once; what an interrupted repair had still to do is made out anew.
declare
    new_run bigint;
begin
    if of_side = 'target' and exists (select from crmshift.check_backfill_complete(of_workspace)) then
        raise exception 'Before the backfill is complete the target cannot be taken to be right: legacy would lose what has not moved yet.'
            using errcode = 'SH003', hint = 'Run: crmshift apply --to parallel-operation';
    end if;
    delete from crmshift.repair_key;
    insert into crmshift.repair_run (side, workspace_id) values (of_side, of_workspace) returning id into new_run;
    insert into crmshift.repair_key (run, mapping, kind, key)
    select new_run, d.mapping, d.kind, d.key from crmshift.repair_drift(of_side, of_workspace) as d order by d.position, d.key;
    update crmshift.repair_run as r
       set planned = coalesce((select jsonb_object_agg(m.mapping, m.kinds)
                                 from (select k.mapping, jsonb_object_agg(k.kind, k.n) as kinds
                                         from (select mapping, kind, count(*) as n from crmshift.repair_key group by 1, 2) as k group by 1) as m), '{}')
     where r.id = new_run;
    return new_run;
end
$$;
comment on function crmshift.repair_start(text, uuid) is 'Begin a repair: note the keys that drifted. Returns its number.';

create function crmshift.rows_of(of_table text, columns text[], given jsonb, names text[], locking boolean)
returns table (table_name text, key jsonb, row_data jsonb, version xid)
language plpgsql
set timezone = 'UTC'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
as $$
-- The rows of a table whose columns are what the objects of an array have under these names; written the same in every session.
begin
    return query execute (
        select format('select %L::text, jsonb_build_object(%s), to_jsonb(t), t.xmin from %s as t where (%s) in (select %s from jsonb_array_elements($1) as v)%s',
                      of_table, i.key, of_table::regclass, c.columns, c.given,
                      case when locking then format(' order by %s for no key update of t', i.columns) else '' end)
          from (select string_agg(format('%L, t.%I', d.column_name, d.column_name), ', ') as key, string_agg(format('t.%I', d.column_name), ', ') as columns
                  from crmshift.identity_of(of_table) as d) as i,
               (select string_agg(format('t.%I', a.attname), ', ' order by u.n) as columns,
                       string_agg(format('(v ->> %L)::%s', u.name, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' order by u.n) as given
                  from unnest(columns, names) with ordinality as u (col, name, n)
                  join pg_catalog.pg_attribute as a on a.attrelid = of_table::regclass and a.attname = u.col) as c)
    using given;
end
$$;
comment on function crmshift.rows_of(text, text[], jsonb, text[], boolean) is 'Rows of a table by the values of some columns, with their keys and versions; locked where asked for.';

create function crmshift.references_to(of_table text) returns table (child text, columns text[], names text[])
language sql stable
as $$
select format('%I.%I', n.nspname, c.relname),
       array(select a.attname::text from unnest(k.conkey) with ordinality as u (num, i)
               join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = u.num order by i),
       array(select a.attname::text from unnest(k.confkey) with ordinality as u (num, i)
               join pg_catalog.pg_attribute as a on a.attrelid = k.confrelid and a.attnum = u.num order by i)
  from pg_catalog.pg_constraint as k
  join pg_catalog.pg_class as c on c.oid = k.conrelid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where k.confrelid = to_regclass($1) and k.contype = 'f' and k.conparentid = 0
   and exists (select from crmshift.identity_of(format('%I.%I', n.nspname, c.relname)))
 order by 1, k.conname
$$;
comment on function crmshift.references_to(text) is 'Foreign keys to a table: from which one, which columns to which. A table whose rows nothing identifies is left out.';

create function crmshift.repair_image(of_mapping text, keys jsonb, locking boolean)
returns table (depth integer, table_name text, key jsonb, row_data jsonb, version xid)
language plpgsql
as $$
-- All that handing these keys over can change: the rows of the mapping and what hangs on them, as foreign keys tell; the rows
-- they are made from, which a trigger or an election may change; and their parents, which are made where they lack.
-- Rows of legacy are locked first, as writers do.
declare
    m crmshift.mapping;
    f record;
    fk record;
    i integer := 0;
    got jsonb;
    sources jsonb := '{}';
    tables text[];
    rows jsonb[] := '{}';
    paths text[];
begin
    select * into m from crmshift.mapping where name = of_mapping;
    for f in select w.* from (select g.source, g.key as columns, true as feeds from crmshift.feed as g where g.mapping = m.name and g.mode = 'sync'
                              union all select m.target, m.key, false) as w
              order by w.source = any (array(select t.target from crmshift.mapping as t where t.direction = 'to_target')), w.source loop
        select jsonb_agg(to_jsonb(r)) into got from crmshift.rows_of(f.source, f.columns, keys, m.key, locking) as r;
        continue when got is null;
        return query select 1, g.* from jsonb_to_recordset(got) as g (table_name text, key jsonb, row_data jsonb, version xid);
        if f.feeds then
            sources := sources || jsonb_build_object(f.source, got);
            continue;
        end if;
        -- Level by level: the rows that refer to those just found.
        tables := array[m.target];
        rows := array[got];
        paths := array[' ' || m.target || ' '];
        while i < cardinality(tables) loop
            i := i + 1;
            for fk in select * from crmshift.references_to(tables[i]) loop
                continue when position(' ' || fk.child || ' ' in paths[i]) > 0;
                select jsonb_agg(to_jsonb(r)) into got
                  from crmshift.rows_of(fk.child, fk.columns, (select jsonb_agg(x -> 'row_data') from jsonb_array_elements(rows[i]) as x), fk.names, locking) as r;
                continue when got is null;
                return query select i + 1, g.* from jsonb_to_recordset(got) as g (table_name text, key jsonb, row_data jsonb, version xid);
                tables := tables || fk.child;
                rows := rows || got;
                paths := paths || (paths[i] || fk.child || ' ');
            end loop;
        end loop;
    end loop;
    for f in select p.target, p.key, g.source, g.key as columns
               from crmshift.feed as g join crmshift.mapping as p on p.name = g.mapping and p.direction = m.direction
              where g.mode = 'fill' and sources ? g.source loop
        return query
        select 0, r.* from crmshift.rows_of(f.target, f.key, (select jsonb_agg(x -> 'row_data') from jsonb_array_elements(sources -> f.source) as x), f.columns, false) as r;
    end loop;
end
$$;
comment on function crmshift.repair_image(text, jsonb, boolean) is 'The rows that handing keys of a mapping to its writer can change, parents first.';

create function crmshift.repair_keys(of_run bigint, of_mapping text, keys jsonb) returns bigint
language plpgsql
as $$
declare
    arrays text[] := array(select (select array_agg(k.key ->> c.name order by k.i) from jsonb_array_elements(keys) with ordinality as k (key, i))::text
                             from crmshift.mapping as m, unnest(m.key) with ordinality as c (name, i) where m.name = of_mapping order by c.i);
    archived bigint := coalesce((select max(a.id) from crmshift.archive as a), 0);
    before jsonb;
    result bigint;
begin
    select coalesce(jsonb_agg(to_jsonb(i)), '[]') into before from crmshift.repair_image(of_mapping, keys, true) as i;
    select b.queued into result from crmshift.write_batch(array[of_mapping], arrays, 'sync') as b;
    with b as (
        select distinct on (x.table_name, x.key) x.* from jsonb_to_recordset(before) as x (depth integer, table_name text, key jsonb, row_data jsonb)
         order by x.table_name, x.key, x.depth desc
    ), a as (
        select distinct on (x.table_name, x.key) x.* from (
            select i.* from crmshift.repair_image(of_mapping, keys, false) as i
            union all  -- and what was there before, wherever it belongs now
            select 0, r.* from (select b.table_name, jsonb_agg(b.key) as keys from b group by 1) as t
             cross join lateral (select array_agg(d.column_name) as columns from crmshift.identity_of(t.table_name) as d) as d
             cross join lateral crmshift.rows_of(t.table_name, d.columns, t.keys, d.columns, false) as r
            union all
            select 0, r.* from crmshift.rows_of('crmshift.archive', '{id}', (select jsonb_agg(jsonb_build_object('id', n.id)) from crmshift.archive as n where n.id > archived), '{id}', false) as r
        ) as x order by x.table_name, x.key, x.depth desc
    )
    insert into crmshift.repair_log (run, mapping, table_name, key, before, after)
    select of_run, of_mapping, coalesce(b.table_name, a.table_name), coalesce(b.key, a.key), b.row_data, a.row_data
      from b full join a on a.table_name = b.table_name and a.key = b.key
     where b.row_data is distinct from a.row_data and (a.key is null or crmshift.is_written_here(a.version))
     order by coalesce(b.depth, a.depth), coalesce(b.table_name, a.table_name), coalesce(b.key, a.key);
    return result;
end
$$;
comment on function crmshift.repair_keys(bigint, text, jsonb) is 'Hand keys of a mapping to its writer, and log what that changed; returns how many had to be queued.';

create function crmshift.repair_batch(of_run bigint, of_mapping text, kinds text[], most integer, one_by_one boolean default false, out taken bigint, out queued bigint)
language plpgsql
as $$
-- Hand the next keys of these kinds over. one_by_one, where locks were not to be had by all: those of a row that is still locked are queued.
declare
    keys jsonb;
    one jsonb;
begin
    lock table crmshift.backfill_range in row share mode;  -- by this it is known for a batch: see crmshift.backfill_backends()
    with next as (
        delete from crmshift.repair_key as d
         using (select k.id from crmshift.repair_key as k
                 where k.run = of_run and k.mapping = of_mapping and k.kind = any (kinds) order by k.id limit most) as n
         where d.id = n.id returning d.key
    )
    select count(*), jsonb_agg(n.key) into taken, keys from next as n;
    queued := 0;
    if taken > 0 and not one_by_one then
        queued := crmshift.repair_keys(of_run, of_mapping, keys);
    elsif taken > 0 then
        for one in select jsonb_build_array(k) from jsonb_array_elements(keys) as k loop
            begin
                queued := queued + crmshift.repair_keys(of_run, of_mapping, one);
            exception when lock_not_available or deadlock_detected or serialization_failure then
                perform set_config('lock_timeout', '10ms', true);  -- the full wait was spent
                perform set_config('crmshift.deadline', '1', true);  -- long past: queued unseen
                queued := queued + crmshift.sync_or_queue(of_mapping, one);
                perform set_config('crmshift.deadline', '', true);
            end;
        end loop;
    end if;
end
$$;
comment on function crmshift.repair_batch(bigint, text, text[], integer, boolean) is 'Hand the next keys of a repair to the writer of their mapping; returns how many, and how many of them had to be queued.';

create function crmshift.undo_row(of_log crmshift.repair_log) returns void
language plpgsql
set timezone = 'UTC'
set intervalstyle = 'postgres'
as $$
-- Write one row as it was. The other side does not follow: it was not asked to, and had another opinion of the row before.
declare
    is_row text := (select string_agg(format('t.%I = ($2 ->> %L)::%s', d.column_name, d.column_name, d.type), ' and ') from crmshift.identity_of(of_log.table_name) as d);
    inserted text;
    updated text;
    fk record;
begin
    if of_log.kind = 'missing' then
        -- What hangs on it by now came later, and a cascade would take it away unseen.
        for fk in select * from crmshift.references_to(of_log.table_name) loop
            if exists (select from crmshift.rows_of(fk.child, fk.columns, jsonb_build_array(of_log.after), fk.names, false)) then
                raise exception 'Rows of % hang on it.', fk.child using errcode = 'foreign_key_violation';
            end if;
        end loop;
    end if;
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum),
           string_agg(quote_ident(a.attname), ', ' order by a.attnum) filter (where a.attidentity <> 'a')
      into inserted, updated
      from pg_catalog.pg_attribute as a where a.attrelid = of_log.table_name::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
    perform set_config('crmshift.writing', of_log.table_name, true);
    execute case of_log.kind
        when 'missing' then format('delete from %s as t where %s', of_log.table_name::regclass, is_row)
        when 'extra' then format('insert into %1$s (%2$s) overriding system value select %2$s from jsonb_populate_record(null::%1$s, $1)', of_log.table_name::regclass, inserted)
        else format('update %1$s as t set (%2$s) = (select %2$s from jsonb_populate_record(null::%1$s, $1)) where %3$s', of_log.table_name::regclass, updated, is_row) end
      using of_log.before, of_log.key;
end
$$;
comment on function crmshift.undo_row(crmshift.repair_log) is 'Write one row as it was before a repair, without the other side following.';

create function crmshift.undo_repair_batch(of_run bigint, out undone bigint, out left_alone bigint)
language plpgsql
as $$
-- Take back the latest batch of a repair that is not yet. Rows that somebody has changed since are left. Returns nulls when all is done.
declare
    batch xid8;
    t record;
    l crmshift.repair_log;
    state text;
    before text := coalesce(current_setting('crmshift.depth', true), '');
begin
    if not exists (select from crmshift.repair_run as r where r.id = of_run) then
        raise exception 'There is no repair %.', of_run using errcode = 'SH001', hint = 'crmshift repair list shows their numbers.';
    end if;
    select g.txid into batch from crmshift.repair_log as g where g.run = of_run and g.outcome is null order by g.id desc limit 1;
    if not found then
        delete from crmshift.repair_key as k where k.run = of_run;
        update crmshift.repair_run as r set undone_at = coalesce(r.undone_at, clock_timestamp()) where r.id = of_run;
        return;
    end if;
    -- Rows of legacy are locked first, as writers do; then what is looked at stays as it is.
    for t in select g.table_name, jsonb_agg(g.key) as keys, array(select d.column_name from crmshift.identity_of(g.table_name) as d) as columns
               from crmshift.repair_log as g where g.run = of_run and g.txid = batch and g.outcome is null group by g.table_name
              order by g.table_name = any (array(select m.target from crmshift.mapping as m where m.direction = 'to_target')), 1 loop
        with now as (
            select r.key, r.row_data from crmshift.rows_of(t.table_name, t.columns, t.keys, t.columns, true) as r
        )
        update crmshift.repair_log as g
           set outcome = case when n.row_data is not distinct from g.before then 'undone' else 'changed since' end
          from crmshift.repair_log as h left join now as n on n.key = h.key
         where g.id = h.id and h.run = of_run and h.txid = batch and h.table_name = t.table_name and h.outcome is null
           and n.row_data is distinct from h.after;
    end loop;
    -- First what was inserted goes, children first; then the rest is written, parents first.
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    begin
        for l in select * from crmshift.repair_log as g where g.run = of_run and g.txid = batch and g.outcome is null
                  order by case g.kind when 'missing' then 1 when 'differs' then 2 else 3 end, case g.kind when 'missing' then -g.id else g.id end loop
            perform crmshift.undo_row(l);
        end loop;
        update crmshift.repair_log as g set outcome = 'undone' where g.run = of_run and g.txid = batch and g.outcome is null;
    exception
        when lock_not_available or deadlock_detected or serialization_failure then
            raise;
        when others then  -- one of them is bad: one by one
            for l in select * from crmshift.repair_log as g where g.run = of_run and g.txid = batch and g.outcome is null
                      order by case g.kind when 'missing' then 1 when 'differs' then 2 else 3 end, case g.kind when 'missing' then -g.id else g.id end loop
                state := null;
                begin
                    perform crmshift.undo_row(l);
                exception
                    when lock_not_available or deadlock_detected or serialization_failure then
                        raise;
                    when others then
                        state := sqlstate;
                end;
                update crmshift.repair_log as g set outcome = case when state is null then 'undone' else 'refused' end, sqlstate = state where g.id = l.id;
            end loop;
    end;
    -- What a cascade noted of these very rows is not followed either; what a trigger of the application wrote beside them is.
    delete from crmshift.sync_queue as q
     using crmshift.repair_log as g
      join crmshift.source_subject as s on s.source = g.table_name and s.mode = 'sync'
     where g.run = of_run and g.txid = batch and q.txid = pg_current_xact_id() and q.reason = 'nested' and q.subject = s.subject
       and q.key = (select jsonb_object_agg(k, coalesce(g.before, g.after) -> c) from unnest(s.key, s.columns) as u (k, c));
    if current_setting('crmshift.noted', true) = 'yes' then
        perform crmshift.settle_nested();
    end if;
    perform set_config('crmshift.depth', before, true);
    select count(*) filter (where g.outcome = 'undone'), count(*) filter (where g.outcome <> 'undone') into undone, left_alone
      from crmshift.repair_log as g where g.run = of_run and g.txid = batch;
end
$$;
comment on function crmshift.undo_repair_batch(bigint) is 'Take back the latest batch of a repair that is not yet: select * from crmshift.undo_repair_batch(17), again until it returns nulls.';
