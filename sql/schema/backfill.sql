-- Backfill: batches of keys, up to a bound frozen at the start, handed to the same writers.
-- One walk of a legacy table fills all that is made from its rows, so that no customer is ever there without its lead. A walk is
-- cut into ranges, which workers share; a batch and its range's checkpoint commit together, so a killed run goes on where it was.

create table crmshift.backfill_walk (
    id                bigint generated always as identity primary key,
    source            text not null,
    workspace_id      uuid,
    except_workspaces uuid[] not null default '{}',
    upper_key         text[],
    rows_total        bigint not null,
    started_at        timestamptz not null default clock_timestamp(),
    constraint one_walk_for_each_table_and_workspace unique nulls not distinct (source, workspace_id)
);
comment on table crmshift.backfill_walk is 'What each walk of a legacy table froze at its start. To forget one: delete it. How far it has come: crmshift.backfill.';
comment on column crmshift.backfill_walk.source is 'Table whose keys are walked.';
comment on column crmshift.backfill_walk.workspace_id is 'Only rows of this workspace; null: of all.';
comment on column crmshift.backfill_walk.except_workspaces is 'Workspaces that were complete already when a walk of all began, and are left out of it.';
comment on column crmshift.backfill_walk.upper_key is 'Largest key at the start: rows born later arrive by the triggers. Null where there was no row.';
comment on column crmshift.backfill_walk.rows_total is 'Rows to walk, counted at the start.';

create table crmshift.backfill_range (
    walk        bigint not null references crmshift.backfill_walk on delete cascade,
    number      integer not null,
    low_key     text[],
    high_key    text[] not null,
    last_key    text[],
    rows_total  bigint not null,
    rows_done   bigint not null default 0,
    written     bigint not null default 0,
    queued      bigint not null default 0,
    batches     bigint not null default 0,
    updated_at  timestamptz,
    finished_at timestamptz,
    primary key (walk, number)
) with (fillfactor = 50);
comment on table crmshift.backfill_range is 'Pieces of a walk. A worker holds the row of one while its batch runs, and no longer: whoever comes next may go on.';
comment on column crmshift.backfill_range.low_key is 'The range begins after this key; null: with the first.';
comment on column crmshift.backfill_range.high_key is 'Last key of the range.';
comment on column crmshift.backfill_range.last_key is 'Last key that is done.';
comment on column crmshift.backfill_range.rows_total is 'Rows of the range when the walk began.';
comment on column crmshift.backfill_range.rows_done is 'Source rows walked so far.';
comment on column crmshift.backfill_range.written is 'Rows inserted on the target, in all its tables; the others were there already.';
comment on column crmshift.backfill_range.queued is 'Keys that could not be written and stand in the sync queue.';
comment on column crmshift.backfill_range.batches is 'Committed batches.';
comment on column crmshift.backfill_range.updated_at is 'When the last batch committed.';
comment on column crmshift.backfill_range.finished_at is 'When its last key was reached.';

create view crmshift.backfill as
with w as (
    select w.id, w.source, w.workspace_id, w.upper_key, w.rows_total, w.started_at,
           coalesce(sum(r.rows_done), 0)::bigint as rows_done, coalesce(sum(r.written), 0)::bigint as written,
           coalesce(sum(r.queued), 0)::bigint as queued, coalesce(sum(r.batches), 0)::bigint as batches,
           count(r.number)::integer as ranges, count(r.finished_at)::integer as ranges_finished,
           max(r.updated_at) as updated_at,
           case when count(r.number) = count(r.finished_at) then coalesce(max(r.finished_at), w.started_at) end as finished_at
      from crmshift.backfill_walk as w left join crmshift.backfill_range as r on r.walk = w.id
     group by w.id
)
select w.source, w.workspace_id, w.upper_key, w.rows_total, w.rows_done, w.written, w.queued, w.batches, w.ranges, w.ranges_finished,
       w.started_at, w.updated_at, coalesce(w.finished_at, everything.finished_at) as finished_at
  from w left join w as everything on everything.source = w.source and everything.workspace_id is null;
comment on view crmshift.backfill is 'How far the backfill from each legacy table has come.';
comment on column crmshift.backfill.source is 'Table whose keys are walked.';
comment on column crmshift.backfill.workspace_id is 'Only rows of this workspace; null: of all that were not complete by then.';
comment on column crmshift.backfill.upper_key is 'Largest key at the start: rows born later arrive by the triggers. Null where there was no row.';
comment on column crmshift.backfill.rows_total is 'Rows to walk, counted at the start.';
comment on column crmshift.backfill.rows_done is 'Source rows walked so far.';
comment on column crmshift.backfill.written is 'Rows inserted on the target, in all its tables; the others were there already.';
comment on column crmshift.backfill.queued is 'Keys that could not be written and stand in the sync queue.';
comment on column crmshift.backfill.batches is 'Committed batches.';
comment on column crmshift.backfill.ranges is 'Pieces that workers share.';
comment on column crmshift.backfill.ranges_finished is 'How many of them are done.';
comment on column crmshift.backfill.updated_at is 'When the last batch committed.';
comment on column crmshift.backfill.finished_at is 'When the last row was reached; that of one workspace also by a walk of all.';

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

create function crmshift.backfill_sources() returns table (source text, "position" integer)
language sql stable
as $$
select f.source, min(m.position)
  from crmshift.feed as f join crmshift.mapping as m on m.name = f.mapping
 where f.mode = 'sync' and m.direction = 'to_target'
 group by f.source order by 2
$$;
comment on function crmshift.backfill_sources() is 'Legacy tables to walk, in this order: what the rows of one refer to is made from those before it.';

create function crmshift.workspace_of(of_source text) returns text
language sql stable
as $$
-- The table says so itself, or the row whose child it is: the one that the same parent is made from.
select case when exists (select from pg_catalog.pg_attribute as a
                          where a.attrelid = $1::regclass and a.attname = 'workspace_id' and not a.attisdropped) then 's.workspace_id'
       else (select format('(select p.workspace_id from %s as p where %s)', parent.source::regclass,
                           (select string_agg(format('p.%I = s.%I', p, c), ' and ' order by i) from unnest(parent.key, child.key) with ordinality as u (p, c, i)))
               from crmshift.feed as child
               join crmshift.feed as parent on parent.mapping = child.mapping and parent.mode = 'sync'
               join crmshift.mapping as m on m.name = child.mapping
               join pg_catalog.pg_attribute as a on a.attrelid = parent.source::regclass and a.attname = 'workspace_id' and not a.attisdropped
              where child.source = $1 and child.mode = 'fill' and m.direction = 'to_target' order by m.position limit 1) end
$$;
comment on function crmshift.workspace_of(text) is 'How the rows s of a legacy table tell their workspace, as an expression; null where they do not.';

create function crmshift.walk_condition(of_source text, of_workspace uuid, except_workspaces uuid[]) returns text
language plpgsql stable
as $$
declare
    workspace text;
begin
    if of_workspace is null and except_workspaces = '{}' then
        return 'true';
    end if;
    workspace := crmshift.workspace_of(of_source);
    if workspace is null then
        raise exception 'The rows of % do not tell their workspace.', of_source
            using errcode = 'SH001', hint = 'Backfill all workspaces at once: leave out --workspace.';
    end if;
    if of_workspace is not null then
        return format('%s = %L::uuid', workspace, of_workspace);
    end if;
    return format('(%s = any (%L::uuid[])) is not true', workspace, except_workspaces);
end
$$;
comment on function crmshift.walk_condition(text, uuid, uuid[]) is 'Which rows s of a legacy table a walk is about, as a condition.';

create function crmshift.backfill_start(of_source text, of_workspace uuid default null) returns crmshift.backfill
language plpgsql
as $$
-- Freeze the bound and the count, and cut the ranges, all by one scan in key order; does nothing where the walk has begun.
declare
    b crmshift.backfill;
    columns text[] := (select m.columns from crmshift.backfill_mappings(of_source) as m limit 1);
    complete uuid[];
    new_walk bigint;
    bound text[];
    total bigint;
    cuts jsonb;  -- every thousandth key; of these as many bound a range as make some tens of ranges
    cut_rows constant integer := 1000;
    most_ranges constant integer := 64;
    each integer;
begin
    select * into b from crmshift.backfill where source = of_source and workspace_id is not distinct from of_workspace;
    if found then
        return b;
    end if;
    if columns is null then
        raise exception 'No mapping to the target is made from the table %.', of_source
            using errcode = 'SH001', hint = 'select distinct source from crmshift.feed lists the tables.';
    end if;
    complete := case when of_workspace is null then
        array(select w.workspace_id from crmshift.backfill as w
               where w.source = of_source and w.workspace_id is not null and w.finished_at is not null order by 1) else '{}' end;
    execute (
        select format($sql$
            select (select array[%1$s] from %2$s as s where %3$s order by %4$s limit 1), count(*),
                   jsonb_agg(array[%5$s] order by n.number) filter (where n.number %% $1 = 0)
              from (select %6$s, row_number() over (order by %6$s) as number from %2$s as s where %3$s) as n$sql$,
                   string_agg(format('s.%I::text', c), ', ' order by i), of_source::regclass,
                   crmshift.walk_condition(of_source, of_workspace, complete),
                   string_agg(format('s.%I desc', c), ', ' order by i),
                   string_agg(format('n.%I::text', c), ', ' order by i),
                   string_agg(format('s.%I', c), ', ' order by i))
          from unnest(columns) with ordinality as u (c, i)
    ) into bound, total, cuts using cut_rows;
    insert into crmshift.backfill_walk (source, workspace_id, except_workspaces, upper_key, rows_total)
    values (of_source, of_workspace, complete, bound, total) returning id into new_walk;

    each := greatest(1, ceil(total::numeric / cut_rows / most_ranges))::integer;
    insert into crmshift.backfill_range (walk, number, low_key, high_key, rows_total)
    select new_walk, k.number, lag(k.key) over (order by k.number), k.key,
           least(k.number::bigint * each * cut_rows, total) - (k.number - 1)::bigint * each * cut_rows
      from (select (c.i / each)::integer as number, array(select jsonb_array_elements_text(c.key)) as key
              from jsonb_array_elements(cuts) with ordinality as c (key, i)
             where c.i % each = 0 and c.i * cut_rows < total
            union all
            select ceil(total::numeric / cut_rows / each)::integer, bound where total > 0) as k;
    select * into b from crmshift.backfill where source = of_source and workspace_id is not distinct from of_workspace;
    return b;
end
$$;
comment on function crmshift.backfill_start(text, uuid) is 'Begin the backfill from a legacy table, or of one workspace''s rows: freeze its bound, count its rows, cut its ranges.';

create function crmshift.keys_of(of_mapping text, arrays text[]) returns jsonb
language plpgsql stable
as $$
declare
    result jsonb;
begin
    execute (select format('select jsonb_agg(jsonb_build_object(%s)) from unnest(%s) as k (%s)',
                           string_agg(format('%L, k.%1$I', c), ', ' order by i),
                           string_agg(format('$1[%s]::%s[]', i, t), ', ' order by i),
                           string_agg(quote_ident(c), ', ' order by i))
               from crmshift.mapping as m, unnest(m.key, m.key_types) with ordinality as u (c, t, i) where m.name = of_mapping)
       into result using arrays;
    return result;
end
$$;
comment on function crmshift.keys_of(text, text[]) is 'Keys given as arrays, as text, one for each key column: as a json array of objects.';

create function crmshift.write_batch(of_mappings text[], arrays text[], verb text, out written bigint, out queued bigint)
language plpgsql
-- A batch's keys are few beside the table, and close together: by PostgreSQL's own figure all of the table would be read for each.
set random_page_cost = 0.1
as $$
-- Hand keys (arrays as text, one for each key column) to the writers of these mappings, parents first: fill by the backfill,
-- sync by a repair. Lock trouble is raised, to be tried again; at any other the batch is halved, until the bad keys stand alone
-- and are queued.
declare
    m crmshift.mapping;
    n integer;
    half text[];
    one bigint;
    h record;
begin
    written := 0;
    queued := 0;
    begin
        if verb = 'fill' then
            perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
            for m in select g.* from crmshift.mapping as g where g.name = any (of_mappings) order by g.position loop
                execute format('select crmshift.%I(%s)', 'fill_' || m.name,
                               (select string_agg(format('$1[%s]::%s[]', i, t), ', ' order by i) from unnest(m.key_types) with ordinality as u (t, i)))
                   into one using arrays;
                written := written + one;
            end loop;
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle_nested();
            end if;
            perform crmshift.try_deferred(crmshift.targets_of('legacy') || crmshift.targets_of('target'));
            perform set_config('crmshift.depth', '', true);
        else
            -- This locks the rows it reads FOR SHARE: rows of the other side are overwritten, and keys are few.
            perform crmshift.sync_rows(of_mappings, array(select crmshift.keys_of(g.name, arrays) from crmshift.mapping as g
                                                           where g.name = any (of_mappings) order by g.position));
            written := jsonb_array_length(crmshift.keys_of(of_mappings[1], arrays));
        end if;
        return;
    exception
        when lock_not_available or deadlock_detected or serialization_failure then
            raise;
        when others then
            written := 0;
    end;
    select * into m from crmshift.mapping as g where g.name = of_mappings[1];
    execute format('select cardinality($1[1]::%s[])', m.key_types[1]) into n using arrays;
    if n > 1 then
        for i in 0 .. 1 loop
            execute format('select array[%s]', (select string_agg(format('($1[%s]::%s[])[$2:$3]::text', j, t), ', ' order by j)
                                                  from unnest(m.key_types) with ordinality as u (t, j)))
               into half using arrays, 1 + i * (n / 2), case i when 0 then n / 2 else n end;
            select * into h from crmshift.write_batch(of_mappings, half, verb);
            written := written + h.written;
            queued := queued + h.queued;
        end loop;
    else
        for m in select g.* from crmshift.mapping as g where g.name = any (of_mappings) order by g.position loop
            queued := queued + crmshift.sync_or_queue(m.name, crmshift.keys_of(m.name, arrays), verb);
        end loop;
    end if;
end
$$;
comment on function crmshift.write_batch(text[], text[], text) is 'Hand keys to the writers of these mappings: what backfill and repair have in common.';

create function crmshift.backfill_batch(
    of_source text, batch_size integer, of_workspace uuid default null, of_range integer default null, waiting boolean default true,
    out source text, out workspace_id uuid, out range integer, out rows bigint, out rows_total bigint, out rows_done bigint,
    out written bigint, out queued bigint, out batches bigint, out ranges integer, out ranges_finished integer, out finished_at timestamptz)
language plpgsql
set random_page_cost = 0.1  -- see write_batch
as $$
-- Walk the next rows of a range that nobody else is at: `of_range` where it is free, else one not begun, else any; where all are
-- taken, wait for one, or without `waiting` return without a range. The rows are locked FOR KEY SHARE, which no ordinary update
-- waits for, and what is already there is left alone: a live write either came first, and wins, or finds the row and overwrites it.
#variable_conflict use_column
declare
    w crmshift.backfill_walk;
    r crmshift.backfill_range;
    columns text[];
    key_types text[];
    arrays text[];
    last text[];
    n bigint := 0;
    inserted bigint := 0;
    bad bigint := 0;
begin
    select * into w from crmshift.backfill_walk as b where b.source = of_source and b.workspace_id is not distinct from of_workspace;
    if not found then
        raise exception 'The backfill from % has not begun.', of_source
            using errcode = 'SH001', hint = 'select crmshift.backfill_start(…) with the table''s schema: public.contacts.';
    end if;
    select * into r from crmshift.backfill_range as p where p.walk = w.id and p.finished_at is null
     order by p.number is distinct from of_range, p.last_key is not null, p.number limit 1 for update skip locked;
    while r.number is null and waiting and exists (select from crmshift.backfill_range as p where p.walk = w.id and p.finished_at is null) loop
        select * into r from crmshift.backfill_range as p where p.walk = w.id and p.finished_at is null order by p.number limit 1 for update;
    end loop;

    if r.number is not null then
        select f.columns, f.key_types into columns, key_types from crmshift.backfill_mappings(of_source) as f limit 1;
        execute (
            select format($sql$
                with picked as materialized (
                    select %1$s from %2$s as s where %3$s (%1$s) <= (%4$s) and %8$s order by %1$s limit $3
                ), batch as materialized (
                    -- A row whose key changes while we wait for it is no row of this batch any more, and must not move the checkpoint.
                    select %1$s from %2$s as s join picked as p on %5$s order by %1$s for key share of s
                )
                select (select array[%6$s] from batch), (select array[%7$s] from picked), (select count(*) from picked)$sql$,
                       string_agg(format('s.%I', c), ', ' order by i),
                       of_source::regclass,
                       case when coalesce(r.last_key, r.low_key) is null then '' else
                           format('(%s) > (%s) and', string_agg(format('s.%I', c), ', ' order by i), string_agg(format('$1[%s]::%s', i, t), ', ' order by i)) end,
                       string_agg(format('$2[%s]::%s', i, t), ', ' order by i),
                       string_agg(format('s.%1$I = p.%1$I', c), ' and ' order by i),
                       string_agg(format('array_agg(%I order by %s)::text', c, o.by_key), ', ' order by i),
                       string_agg(format('(array_agg(%I order by %s))[count(*)]::text', c, o.by_key), ', ' order by i),
                       crmshift.walk_condition(of_source, of_workspace, w.except_workspaces))
              from unnest(columns, key_types) with ordinality as u (c, t, i),
                   (select string_agg(quote_ident(k), ', ' order by j) as by_key from unnest(columns) with ordinality as v (k, j)) as o
        ) into arrays, last, n using coalesce(r.last_key, r.low_key), r.high_key, batch_size;
        if arrays[1] is not null then
            -- The target grows from nothing under plans that were cached when it was small, and would read all of it for every batch.
            execute 'discard plans';
            select b.written, b.queued into inserted, bad
              from crmshift.write_batch(array(select m.name from crmshift.backfill_mappings(of_source) as m), arrays, 'fill') as b;
        end if;
        update crmshift.backfill_range as p
           set last_key = coalesce(last, p.last_key), rows_done = p.rows_done + n, written = p.written + inserted,
               queued = p.queued + bad, batches = p.batches + 1, updated_at = clock_timestamp(),
               finished_at = case when n < batch_size or last = p.high_key then clock_timestamp() end
         where p.walk = w.id and p.number = r.number;
    end if;
    select b.source, b.workspace_id, r.number, n, b.rows_total, b.rows_done, b.written, b.queued, b.batches, b.ranges, b.ranges_finished, b.finished_at
      into source, workspace_id, range, rows, rows_total, rows_done, written, queued, batches, ranges, ranges_finished, finished_at
      from crmshift.backfill as b where b.source = of_source and b.workspace_id is not distinct from of_workspace;
end
$$;
comment on function crmshift.backfill_batch(text, integer, uuid, integer, boolean) is 'Walk the next rows of a backfill and commit the checkpoint with them: select * from crmshift.backfill_batch(''public.contacts'', 1000).';

create function crmshift.backfill_end(of_source text) returns void
language plpgsql
as $$
-- Sessions may have made plans while the tables were empty, and would read all of them from now on, for each row: until there are
-- statistics, which make them plan anew.
declare
    target text;
begin
    for target in select m.target from crmshift.backfill_mappings(of_source) as b join crmshift.mapping as m using (name) order by m.position loop
        execute format('analyze %s', target::regclass);
    end loop;
end
$$;
comment on function crmshift.backfill_end(text) is 'Take the statistics of the tables that a backfill has filled.';
