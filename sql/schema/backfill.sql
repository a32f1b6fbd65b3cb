-- Backfill: batches of keys, in key order up to a bound frozen at the start, handed to the same writers.
-- One walk of a legacy table fills all that is made from its rows, so that no customer is ever there without its lead.
-- A batch and its checkpoint commit together, so a killed run goes on where it was.

create table crmshift.backfill (
    source      text primary key,
    upper_key   text[],
    last_key    text[],
    rows_total  bigint not null,
    rows_done   bigint not null default 0,
    written     bigint not null default 0,
    queued      bigint not null default 0,
    batches     bigint not null default 0,
    started_at  timestamptz not null default clock_timestamp(),
    updated_at  timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);
comment on table crmshift.backfill is 'How far the backfill from each legacy table has come.';
comment on column crmshift.backfill.source is 'Table whose keys are walked.';
comment on column crmshift.backfill.upper_key is 'Largest key at the start: rows born later arrive by the triggers. Null where the table was empty.';
comment on column crmshift.backfill.last_key is 'Last key that is done.';
comment on column crmshift.backfill.rows_total is 'Rows of the source at the start.';
comment on column crmshift.backfill.rows_done is 'Source rows walked so far.';
comment on column crmshift.backfill.written is 'Rows inserted on the target, in all its tables; the others were there already.';
comment on column crmshift.backfill.queued is 'Keys that could not be written and stand in the sync queue.';
comment on column crmshift.backfill.batches is 'Committed batches.';
comment on column crmshift.backfill.updated_at is 'When the last batch committed.';
comment on column crmshift.backfill.finished_at is 'When the bound was reached.';

create function crmshift.backfill_mappings(of_source text)
returns table (name text, key text[], key_types text[], columns text[])
language sql stable
as $$
-- The mappings one walk of a table fills, parents first: those its rows are synced to, by the key of the first of them.
select m.name, m.key, m.key_types, f.key
  from crmshift.feed as f join crmshift.mapping as m on m.name = f.mapping
 where f.source = $1 and f.mode = 'sync' and m.direction = 'to_target'
   and f.key = (select g.key from crmshift.feed as g join crmshift.mapping as n on n.name = g.mapping
                 where g.source = $1 and g.mode = 'sync' and n.direction = 'to_target' order by n.position limit 1)
 order by m.position
$$;
comment on function crmshift.backfill_mappings(text) is 'The mappings that a backfill from this table fills.';

create function crmshift.backfill_start(of_source text) returns crmshift.backfill
language plpgsql
as $$
-- Freeze the bound and the count; does nothing where the backfill has begun.
declare
    b crmshift.backfill;
    columns text[] := (select m.columns from crmshift.backfill_mappings(of_source) as m limit 1);
    bound text[];
    total bigint;
begin
    select * into b from crmshift.backfill where source = of_source;
    if found then
        return b;
    end if;
    if columns is null then
        raise exception 'No mapping to the target is made from the table %.', of_source
            using errcode = 'SH001', hint = 'select distinct source from crmshift.feed lists the tables.';
    end if;
    execute format('select array[%s] from %s order by %s limit 1',
                   (select string_agg(format('%I::text', c), ', ' order by i) from unnest(columns) with ordinality as u (c, i)),
                   of_source::regclass,
                   (select string_agg(format('%I desc', c), ', ' order by i) from unnest(columns) with ordinality as u (c, i)))
       into bound;
    execute format('select count(*) from %s', of_source::regclass) into total;
    insert into crmshift.backfill (source, upper_key, rows_total, finished_at)
    values (of_source, bound, total, case when bound is null then clock_timestamp() end) returning * into b;
    return b;
end
$$;
comment on function crmshift.backfill_start(text) is 'Begin the backfill from a legacy table: freeze its bound and count its rows.';

create function crmshift.backfill_batch(of_source text, batch_size integer) returns crmshift.backfill
language plpgsql
as $$
-- Walk the next rows. They are locked FOR KEY SHARE, which no ordinary update waits for, and what is already there is
-- left alone: a live write either came first, and wins, or finds the row and overwrites it. Lock trouble is raised,
-- to be tried again; any other trouble is narrowed down to the bad keys, which are queued.
declare
    b crmshift.backfill;
    m record;
    columns text[];
    key_types text[];
    arrays text[];
    last text[];
    n bigint := 0;
    one bigint;
    inserted bigint := 0;
    bad bigint := 0;
begin
    select * into b from crmshift.backfill where source = of_source for update;
    if not found then
        raise exception 'The backfill from % has not begun.', of_source
            using errcode = 'SH001', hint = 'select crmshift.backfill_start(…) with the table''s schema: public.contacts.';
    end if;
    if b.finished_at is not null then
        return b;
    end if;
    select f.columns, f.key_types into columns, key_types from crmshift.backfill_mappings(of_source) as f limit 1;

    execute (
        select format($sql$
            with picked as materialized (
                select %1$s from %2$s where %3$s (%1$s) <= (%4$s) order by %1$s limit $3
            ), batch as materialized (
                -- A row whose key changes while we wait for it is no row of this batch any more, and must not move the checkpoint.
                select %5$s from %2$s as s join picked as p on %6$s order by %5$s for key share of s
            )
            select (select array[%7$s] from batch), (select array[%8$s] from picked), (select count(*) from picked)$sql$,
                   string_agg(format('%I', c), ', ' order by i),
                   of_source::regclass,
                   case when b.last_key is null then '' else
                       format('(%s) > (%s) and', string_agg(format('%I', c), ', ' order by i), string_agg(format('$1[%s]::%s', i, t), ', ' order by i)) end,
                   string_agg(format('$2[%s]::%s', i, t), ', ' order by i),
                   string_agg(format('s.%I', c), ', ' order by i),
                   string_agg(format('s.%1$I = p.%1$I', c), ' and ' order by i),
                   string_agg(format('array_agg(%I order by %s)::text', c, o.by_key), ', ' order by i),
                   string_agg(format('(array_agg(%I order by %s))[count(*)]::text', c, o.by_key), ', ' order by i))
          from unnest(columns, key_types) with ordinality as u (c, t, i),
               (select string_agg(quote_ident(k), ', ' order by j) as by_key from unnest(columns) with ordinality as v (k, j)) as o
    ) into arrays, last, n using b.last_key, b.upper_key, batch_size;

    if n > 0 then
        begin
            perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
            for m in select * from crmshift.backfill_mappings(of_source) loop
                execute format('select crmshift.%I(%s)', 'fill_' || m.name,
                               (select string_agg(format('$1[%s]::%s[]', i, t), ', ' order by i) from unnest(m.key_types) with ordinality as u (t, i)))
                   into one using arrays;
                inserted := inserted + one;
            end loop;
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle_nested();
            end if;
            perform crmshift.try_deferred(crmshift.targets_of('legacy') || crmshift.targets_of('target'));
            perform set_config('crmshift.depth', '', true);
        exception
            when lock_not_available or deadlock_detected or serialization_failure then
                raise;
            when others then
                inserted := 0;
                for m in select * from crmshift.backfill_mappings(of_source) loop
                    execute format('select crmshift.sync_or_queue(%L, (select jsonb_agg(jsonb_build_object(%s)) from unnest(%s) as k (%s)), %L)',
                                   m.name,
                                   (select string_agg(format('%L, k.%1$I', c), ', ' order by i) from unnest(m.key) with ordinality as u (c, i)),
                                   (select string_agg(format('$1[%s]::%s[]', i, t), ', ' order by i) from unnest(m.key_types) with ordinality as u (t, i)),
                                   (select string_agg(quote_ident(c), ', ' order by i) from unnest(m.key) with ordinality as u (c, i)),
                                   'fill')
                       into one using arrays;
                    bad := bad + one;
                end loop;
        end;
    end if;

    update crmshift.backfill
       set last_key = coalesce(last, last_key), rows_done = rows_done + n, written = written + inserted, queued = queued + bad,
           batches = batches + 1, updated_at = clock_timestamp(),
           finished_at = case when n < batch_size then clock_timestamp() end
     where source = of_source returning * into b;
    return b;
end
$$;
comment on function crmshift.backfill_batch(text, integer) is 'Walk the next rows of a backfill and commit the checkpoint with them: select * from crmshift.backfill_batch(''public.contacts'', 1000).';
