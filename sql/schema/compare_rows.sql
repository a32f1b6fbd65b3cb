-- How validate compares: by ranges of keys, each in a statement and a snapshot of its own. Called by crmshift validate;
-- reads only, so that a standby can do it.

create function crmshift.key_ranges(of_mapping text, of_rows bigint)
returns table (after jsonb, up_to jsonb)
language plpgsql stable
as $$
-- Ranges of about so many rows, made out from a sample of both sides: 64 rows for each range, 200 pages at least. The first has no beginning and the last no
-- end: whatever a key is, and whenever it came, one range has it.
declare
    m crmshift.mapping;
    key_columns text;
    sampled text;
begin
    select * into strict m from crmshift.mapping where name = of_mapping;
    key_columns := (select string_agg(quote_ident(k), ', ' order by i) from unnest(m.key) with ordinality as u (k, i));
    select string_agg(format('select %s, %s from %s as t tablesample system (%s)',
                             (select string_agg(format('t.%I::%s', c, ty), ', ' order by i) from unnest(s.key, m.key_types) with ordinality as u (c, ty, i)),
                             100 / z.percent / s.n, s.relid::regclass, z.percent), ' union all ')
      into sampled
      from (select x.*, count(*) over () as n
              from (select m.target::regclass as relid, m.key
                    union all
                    select f.source::regclass, f.key from crmshift.feed as f where f.mapping = of_mapping and f.mode = 'sync') as x
              join pg_catalog.pg_class as c on c.oid = x.relid and c.relkind in ('r', 'p', 'm')) as s
     cross join lateral (select least(100, greatest(6400.0 / of_rows, 20000.0 / greatest(1, sum(pg_catalog.pg_relation_size(p.relid)) / current_setting('block_size')::integer))) as percent
                           from (select s.relid union select t.relid from pg_catalog.pg_partition_tree(s.relid) as t) as p (relid)) as z;
    return query execute format($sql$
        with sampled (%1$s, weight) as (%2$s), placed as (
            select %1$s, floor(sum(weight) over (order by %1$s rows unbounded preceding) / $1) as place from sampled
        ), bound as (
            select distinct on (%1$s) %1$s, row_number() over (order by %1$s) as ordinal
              from (select *, place - lag(place, 1, 0) over (order by %1$s) as step from placed) as p where step > 0
        ), named as (
            select ordinal, jsonb_build_object(%3$s) as key from bound
        )
        select lag(key) over (order by ordinal), key from named
        union all
        select (select key from named order by ordinal desc limit 1), null
        $sql$, key_columns, coalesce(sampled, format('select %s, 0 where false', (select string_agg('null::' || t, ', ') from unnest(m.key_types) as t))),
        (select string_agg(format('%L, %I', k, k), ', ') from unnest(m.key) as k)) using of_rows;
end
$$;
comment on function crmshift.key_ranges(text, bigint) is 'Ranges of the keys of a mapping, in their order, of about so many rows each; together they hold every key there is or will be.';

create function crmshift.written_since(of_mapping text, horizon xid8, after jsonb default null, up_to jsonb default null)
returns setof jsonb
language plpgsql stable
as $$
-- A transaction as old as the horizon had ended when it was taken: a row version with an older xmin was there then. That holds
-- for frozen rows too, for they keep their xmin; those of two thousand million transactions ago may be taken for new, and are looked
-- at for nothing. A row of a subject counts whichever of its tables it stands in, and so does one of a subject it hangs on.
declare
    m crmshift.mapping;
    query text;
begin
    select * into strict m from crmshift.mapping where name = of_mapping;
    with about as (
        select ms.subject, ms.key as subject_key, ms.columns from crmshift.mapping_subject as ms where ms.mapping = of_mapping
    ), found as (
        select a.*, s.source, s.key as named, s.columns as stands, null::text as parent, null::text[] as parent_columns, null::text[] as child_columns
          from about as a join crmshift.source_subject as s on s.subject = a.subject and s.mode = 'sync'
        union all
        select a.*, c.source, c.key, c.columns, p.source, p.columns, up.columns
          from about as a
          join crmshift.source_subject as c on c.subject = a.subject and c.mode = 'sync' and c.whole
          join crmshift.source_subject as up on up.source = c.source and up.mode = 'fill'
          join crmshift.source_subject as p on p.subject = up.subject and p.key = up.key and p.mode = 'sync'
    )
    select string_agg(format('select %s from %s as r%s where pg_catalog.age(%s.xmin) <= pg_catalog.age($1::xid)', k.listed, f.source::regclass,
                             case when f.parent is not null then
                                 (select format(' join %s as p on %s', f.parent::regclass, string_agg(format('p.%I = r.%I', pc, cc), ' and '))
                                    from unnest(f.parent_columns, f.child_columns) as u (pc, cc)) end,
                             case when f.parent is null then 'r' else 'p' end), ' union ')
      into query
      from found as f
     cross join lateral (
         select string_agg(format('r.%I', f.stands[array_position(f.named, f.subject_key[array_position(f.columns, mk)])]), ', ' order by i) as listed
           from unnest(m.key) with ordinality as u (mk, i)) as k;
    return query execute format('select jsonb_build_object(%s) from (%s) as w (%s) where ($2 is null or (%4$s) > (%5$s)) and ($3 is null or (%4$s) <= (%6$s))',
        (select string_agg(format('%L, w.%I', k, k), ', ') from unnest(m.key) as k), query,
        (select string_agg(quote_ident(k), ', ' order by i) from unnest(m.key) with ordinality as u (k, i)),
        (select string_agg(format('w.%I', k), ', ' order by i) from unnest(m.key) with ordinality as u (k, i)),
        (select string_agg(format('($2 ->> %L)::%s', k, t), ', ' order by i) from unnest(m.key, m.key_types) with ordinality as u (k, t, i)),
        (select string_agg(format('($3 ->> %L)::%s', k, t), ', ' order by i) from unnest(m.key, m.key_types) with ordinality as u (k, t, i)))
        using horizon, after, up_to;
end
$$;
comment on function crmshift.written_since(text, xid8, jsonb, jsonb) is 'Keys of a mapping whose rows, on either side, or the rows they hang on, were written since a horizon of transactions. What was deleted since is not among them.';

create function crmshift.compare_rows(of_mapping text, of_workspace uuid default null, after jsonb default null, up_to jsonb default null,
                                 percent double precision default null, seed bigint default 0, since xid8 default null, most integer default 20)
returns table (rows bigint, compared bigint, drifted bigint, outstanding bigint, by_kind jsonb, by_workspace jsonb, findings jsonb)
language plpgsql volatile
set jit = off set work_mem = '64MB'
as $$
-- One range. The first statement only counts, for that is what several processes can do at once. Where it counts any, the second
-- finds out which, and the third looks at those keys alone, in a snapshot of its own, and at the queue in the same snapshot: only
-- what drifts there too, and is not outstanding, counts. That hides nothing: drift that nobody is mending is still there a moment
-- later, and what was mended meanwhile is no drift.
declare
    looked text := format(' from crmshift.%I($1, $2, $3, $4, $5, $6, true) as d', 'drift_' || of_mapping);
    suspicious bigint;
    suspects jsonb;
    written jsonb;
begin
    execute 'select count(*), count(*) filter (where d.kind is not null)' || looked
       into rows, suspicious using of_workspace, after, up_to, percent, seed, since is null;
    if suspicious > 0 then
        execute 'select count(*), jsonb_agg(d.key) filter (where d.kind is not null)' || looked
           into rows, suspects using of_workspace, after, up_to, percent, seed, since is null;
    end if;
    compared := rows;
    if since is not null then
        select count(*), jsonb_agg(w.key) into compared, written from crmshift.written_since(of_mapping, since, after, up_to) as w (key);
        suspects := nullif(coalesce(suspects, '[]') || coalesce(written, '[]'), '[]');
    end if;
    if suspects is null then
        drifted := 0;
        outstanding := 0;
        by_kind := '{}';
        by_workspace := '{}';
        findings := '[]';
        return next;
        return;
    end if;
    return query execute format($sql$
        with v as materialized (
            select v.*,  -- while nothing is queued, which is nearly always, that is asked once
                   exists (select from crmshift.sync_queue) and crmshift.is_outstanding($3, v.key) as waits
              from crmshift.%I($1) as v
             where v.kind is not null
               and ($2 is null or $2 in ((v.expected ->> 'workspace_id')::uuid, (v.found ->> 'workspace_id')::uuid))
        ), d as (
            select v.*, row_number() over (order by v.key::text) as place from v where not v.waits
        )
        select $4, $5, (select count(*) from d), (select count(*) from v where v.waits),
               coalesce((select jsonb_object_agg(k.kind, k.n) from (select kind, count(*) as n from d group by kind) as k), '{}'),
               coalesce((select jsonb_object_agg(coalesce(w.workspace_id::text, ''), w.n)
                           from (select workspace_id, count(*) as n from d group by workspace_id) as w), '{}'),
               coalesce((select jsonb_agg(jsonb_build_object('key', key, 'kind', kind, 'columns', columns, 'workspace', workspace_id) order by place)
                           from d where place <= $6), '[]')
        $sql$, 'verdict_' || of_mapping) using suspects, of_workspace, of_mapping, rows, compared, most;
end
$$;
comment on function crmshift.compare_rows(text, uuid, jsonb, jsonb, double precision, bigint, xid8, integer) is 'Compare one range of keys of a mapping, or a sample of it, or what was written since a horizon in it: how many rows there are on either side, how many drift, how many more stand in the queue, by kind and workspace, and the first of them.';
