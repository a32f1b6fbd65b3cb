-- The descriptions derive_writers and derive_triggers work from, read back from the catalogue of a database where the
-- mappings are installed. Before that, crmshift reads the same from the mapping files; a test holds the two equal.

-- Which columns of which tables a view reads, as pg_depend knows.
create view crmshift.mapping_reads as
select m.name as mapping, format('%s.%s', n.nspname, c.relname) as source, a.attname::text as column_name
  from crmshift.mapping as m
  join pg_catalog.pg_rewrite as r on r.ev_class = to_regclass(format('crmshift.%I', m.name || '_expected'))
  join pg_catalog.pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
       and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
  join pg_catalog.pg_class as c on c.oid = d.refobjid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
 where c.oid <> r.ev_class
 group by 1, 2, 3;
comment on view crmshift.mapping_reads is 'Columns each mapping view reads.';

create function crmshift.describe_mapping(of_mapping text) returns jsonb
language sql stable
as $$
select jsonb_build_object(
           'name', m.name, 'target', m.target, 'key', m.key, 'key_types', m.key_types,
           'only_where', m.only_where, 'conflict_where', m.conflict_where, 'before_remove', m.before_remove,
           'agrees', (select coalesce(jsonb_object_agg(c.column_name, c.agrees), '{}') from crmshift.comparison as c where c.mapping = m.name),
           'lock_target', (select count(*) > 1 from crmshift.feed as f where f.mapping = m.name and f.mode = 'sync'),
           'columns', (select jsonb_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute as a
                        where a.attrelid = to_regclass(format('crmshift.%I', m.name || '_expected')) and a.attnum > 0 and not a.attisdropped),
           'side', case m.direction when 'to_target' then 'target' else 'legacy' end,
           'subjects', (select coalesce(jsonb_agg(jsonb_build_object('subject', s.subject, 'key', s.key, 'columns', s.columns) order by s.position), '[]')
                          from crmshift.source_subject as s where s.source = m.target and s.mode = 'sync'))
  from crmshift.mapping as m
 where m.name = $1
$$;
comment on function crmshift.describe_mapping(text) is 'Description of an installed mapping, for mapping_statements.';

create function crmshift.describe_source(of_table text) returns jsonb
language sql stable
as $$
with f as (
    select f.*, m.position, m.direction, m.key as mapping_key, m.key_types
      from crmshift.feed as f join crmshift.mapping as m on m.name = f.mapping
     where f.source = $1
), k as (
    -- the first feed that names a column says its type; sync feeds first, so that a table's own key leads
    select c, t, min(array[(mode = 'fill')::integer, position, i::integer]) as rank
      from f, unnest(f.key, f.key_types) with ordinality as u (c, t, i) group by c, t
)
select jsonb_build_object(
           'source', $1, 'side', case min(f.direction) when 'to_target' then 'legacy' else 'target' end, 'lock_timeout', '100ms',
           'entities', (select jsonb_agg(distinct m.entity) from crmshift.mapping as m
                         where m.target = $1 or m.name in (select g.mapping from f as g where g.mode = 'sync')),
           'writes', (select jsonb_agg(distinct m.target) from crmshift.mapping as m where m.direction = min(f.direction)),
           'subjects', (select jsonb_agg(jsonb_build_object('subject', s.subject, 'key', s.key, 'columns', s.columns, 'mode', s.mode)
                                         order by s.mode desc, s.position)
                          from crmshift.source_subject as s where s.source = $1),
           'keys', (select jsonb_agg(c order by rank) from k),
           'key_types', (select jsonb_agg(t order by rank) from k),
           'reads', (select jsonb_agg(c order by c) from (
                         select r.column_name from crmshift.mapping_reads as r join f as g on g.mapping = r.mapping and g.mode = 'sync'
                          where r.source = $1
                         union select c from k) as x (c)),
           'feeds', jsonb_agg(jsonb_build_object('mapping', f.mapping, 'key', f.mapping_key, 'columns', f.key, 'mode', f.mode, 'prepare', f.prepare,
                                              'reaches', f.reaches,
                                              'whole', f.mode = 'sync' and (select m.conflict_where is null from crmshift.mapping as m where m.name = f.mapping)
                                                       and exists (select from crmshift.mapping as own
                                                                    where own.target = $1 and own.conflict_where is null and own.key = f.key))
                              order by f.position))
  from f
$$;
comment on function crmshift.describe_source(text) is 'Description of a table whose writes are synced, for trigger_statements.';
