-- The life of one row, for crmshift explain: what a mapping expects beside what is there, column by column; who wrote it last;
-- what hangs on it; what of it is in the archive. Works from the registry and the catalogue: no table is named here.

create function crmshift.identity_of(of_table text) returns table (column_name text, type text)
language sql stable
as $$
-- Its primary key; where it has none, the key of its mapping.
select a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod)
  from pg_catalog.pg_index as i
 cross join lateral unnest(i.indkey) with ordinality as k (attnum, n)
  join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
 where i.indrelid = to_regclass($1) and i.indisprimary
union all
select k.name, k.type
  from (select m.* from crmshift.mapping as m where m.target = $1 order by m.position limit 1) as m
 cross join unnest(m.key, m.key_types) as k (name, type)
 where not exists (select from pg_catalog.pg_index as i where i.indrelid = to_regclass($1) and i.indisprimary)
$$;
comment on function crmshift.identity_of(text) is 'The columns that identify a row of a table, and their types; none where nothing does.';

create function crmshift.looks_like(value jsonb, is_text boolean) returns text
language sql immutable
as $$
select case when value is null or value = 'null' then 'NULL'
            when not is_text then 'filled'
            when value = '""' then 'empty'
            when value #>> '{}' !~ '\S' then 'blank'
            else length(value #>> '{}') || case length(value #>> '{}') when 1 then ' char' else ' chars' end end
$$;
comment on function crmshift.looks_like(jsonb, boolean) is 'What can be said of a value without showing it: NULL, empty, blank, how long a text is, filled.';

create function crmshift.explain_row(of_mapping text, of_key jsonb, show_values boolean default false)
returns table (column_name text, state text, is_expected boolean, is_there boolean, expected_is text, found_is text, expected jsonb, found jsonb)
language plpgsql stable
as $$
-- One row of a mapped table beside what its mapping expects. state: same, differs; agrees, where the values differ as the mapping
-- allows; missing, extra, where one of the two rows is not there; unmapped, for a column the mapping does not speak of; none, for
-- neither. What differs verdict_<mapping> says.
begin
    return query execute (
        select format($sql$
            select c.name, case when not c.mapped then 'unmapped' when not p.e and not p.t then 'none'
                                when not p.t then 'missing' when not p.e then 'extra'
                                when c.name = any (v.columns) then 'differs' when v.expected -> c.name <> t.row_data -> c.name then 'agrees' else 'same' end,
                   p.e, p.t, crmshift.looks_like(v.expected -> c.name, c.is_text), crmshift.looks_like(t.row_data -> c.name, c.is_text),
                   case when $2 then v.expected -> c.name end, case when $2 then t.row_data -> c.name end
              from (select) as one
              left join crmshift.%1$I(jsonb_build_array($1)) as v on true
              left join (select to_jsonb(t) as row_data from %2$s as t where %3$s%4$s) as t on true
             cross join lateral (select v.expected is not null as e, t.row_data is not null as t) as p
             cross join lateral (values %5$s) as c (name, mapped, is_text)$sql$,
               'verdict_' || m.name, m.target::regclass,
               (select string_agg(format('t.%I = ($1 ->> %L)::%s', k, k, ty), ' and ') from unnest(m.key, m.key_types) as u (k, ty)),
               coalesce(' and ' || m.only_where, ''),
               (select string_agg(format('(%L, %L::boolean, %L::boolean)', a.attname, v.attname is not null, ty.typcategory = 'S'), ', ' order by v.attnum is null, v.attnum, a.attnum)
                  from pg_catalog.pg_attribute as a
                  join pg_catalog.pg_type as ty on ty.oid = a.atttypid
                  left join pg_catalog.pg_attribute as v on v.attrelid = to_regclass(format('crmshift.%I', m.name || '_expected')) and v.attname = a.attname
                 where a.attrelid = m.target::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''))
          from crmshift.mapping as m where m.name = of_mapping)
    using of_key, show_values;
end
$$;
comment on function crmshift.explain_row(text, jsonb, boolean) is 'One row beside what its mapping expects, column by column; values only where asked for: select * from crmshift.explain_row(''customers'', ''{"cst_id": "…"}'').';

create function crmshift.explain_writer(of_mapping text, of_key jsonb, show_values boolean default false)
returns table (version text, committed_at timestamptz, origin text, says jsonb)
language plpgsql stable
as $$
-- What can be known of the last writer of a row: the transaction; when it committed, and by which subscription, as long as
-- the server keeps that (track_commit_timestamp); and what the row itself says, in columns whose name tells it.
begin
    return query execute (
        select format($sql$
            select t.xmin::text, %1$s, %2$s from %3$s as t where %4$s%5$s$sql$,
               case when current_setting('track_commit_timestamp')::boolean
                    then 'pg_catalog.pg_xact_commit_timestamp(t.xmin), (select o.roname from pg_catalog.pg_xact_commit_timestamp_origin(t.xmin) as c join pg_catalog.pg_replication_origin as o on o.roident = c.roident)'
                    else 'null::timestamptz, null::text' end,
               coalesce((select format('jsonb_build_object(%s)', string_agg(
                             case when show_values then format('%L, t.%I', a.attname, a.attname)
                                  else format('%L, crmshift.looks_like(to_jsonb(t.%I), false)', a.attname, a.attname) end, ', ' order by a.attnum))
                           from pg_catalog.pg_attribute as a
                          where a.attrelid = m.target::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                            and (a.attname = any (m.clock) or a.attname ~ '^(last_?)?(changed|updated|modified)(_?(on|at|by))?$')), '''{}''::jsonb'),
               m.target::regclass,
               (select string_agg(format('t.%I = ($1 ->> %L)::%s', k, k, ty), ' and ') from unnest(m.key, m.key_types) as u (k, ty)),
               coalesce(' and ' || m.only_where, ''))
          from crmshift.mapping as m where m.name = of_mapping)
    using of_key;
end
$$;
comment on function crmshift.explain_writer(text, jsonb, boolean) is 'What can be known of who last wrote a row of a mapped table.';

create function crmshift.explain_children(of_subject text, of_key jsonb) returns table (subject text, key jsonb)
language plpgsql stable
as $$
-- What hangs on a row of legacy, as either side has it: the subjects of tables that feed it as a parent.
declare
    c record;
begin
    for c in select child.subject, child.source, m.name || '_expected' as view,
                    (select string_agg(format('%L, r.%I', k, col), ', ' order by i) from unnest(child.key, child.columns) with ordinality as u (k, col, i)) as named,
                    (select string_agg(format('r.%I = ($1 ->> %L)::%s', col, k, t), ' and ')
                       from crmshift.mapping as p, unnest(p.key, p.key_types) as key (name, t), unnest(parent.key, parent.columns) as u (k, col)
                      where p.name = parent.subject and key.name = u.k) as is_parent
               from crmshift.source_subject as child
               join crmshift.source_subject as parent on parent.source = child.source and parent.mode = 'fill' and parent.subject = of_subject
               join crmshift.mapping as m on m.name = child.subject and m.target = child.source
              where child.mode = 'sync' and child.side = 'legacy'
              order by m.position loop
        return query execute format(
            'select %1$L::text, k.key from (select jsonb_build_object(%2$s) from %3$s as r where %5$s union select jsonb_build_object(%2$s) from crmshift.%4$I as r where %5$s) as k (key) order by k.key',
            c.subject, c.named, c.source::regclass, c.view, c.is_parent) using of_key;
    end loop;
end
$$;
comment on function crmshift.explain_children(text, jsonb) is 'What hangs on a row of legacy, by subject and key, as either side has it.';

create function crmshift.explain_archive(of_subject text, of_key jsonb) returns setof crmshift.archive
language sql stable
as $$
-- Archived rows that are about this subject, and archived rows that hung on those, as foreign keys tell.
with recursive found as (
    select a.* from crmshift.archive as a
      join crmshift.source_subject as s on s.source = a.table_name and s.subject = $1
     where $2 = (select jsonb_object_agg(k, a.row_data -> c) from unnest(s.key, s.columns) as u (k, c))
    union
    select a.*
      from found as f
      join pg_catalog.pg_constraint as fk on fk.confrelid = to_regclass(f.table_name) and fk.contype = 'f'
      join crmshift.archive as a on to_regclass(a.table_name) = fk.conrelid
     where (select bool_and(a.row_data -> c.attname = f.row_data -> p.attname)
              from unnest(fk.conkey, fk.confkey) as u (child, parent)
              join pg_catalog.pg_attribute as c on c.attrelid = fk.conrelid and c.attnum = u.child
              join pg_catalog.pg_attribute as p on p.attrelid = fk.confrelid and p.attnum = u.parent)
)
select * from found order by id
$$;
comment on function crmshift.explain_archive(text, jsonb) is 'What of a row of legacy, and of what hung on it, is in the archive.';
