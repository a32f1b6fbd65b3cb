-- Indexes that no constraint owns.
select 'index' as kind, n.nspname as schema, t.relname as parent, x.relname as name,
       json_strip_nulls(json_build_object(
           'definition', pg_get_indexdef(x.oid),
           'valid', case when not i.indisvalid or not i.indisready or not i.indislive then 'no' end,
           'part of', case when x.relispartition then
               (select h.inhparent::regclass::text from pg_inherits as h where h.inhrelid = x.oid) end,
           'clustered', case when i.indisclustered then 'yes' end,
           'tablespace', (select s.spcname from pg_tablespace as s where s.oid = x.reltablespace),
           'statistics targets', (
               select array_agg(format('column %s: %s', a.attnum, a.attstattarget) order by a.attnum)
                 from pg_attribute as a where a.attrelid = x.oid and coalesce(a.attstattarget, -1) >= 0))) as attributes,
       json_strip_nulls(json_build_object('unique', case when i.indisunique then 'yes' end)) as details,
       false as derived,
       'pg_class'::regclass::oid as classid, x.oid as objid, 0 as objsubid
  from pg_index as i
  join pg_class as x on x.oid = i.indexrelid
  join pg_class as t on t.oid = i.indrelid
  join pg_namespace as n on n.oid = x.relnamespace
 where not exists (select from pg_constraint as k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
   and t.relkind <> 't'
   and n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
