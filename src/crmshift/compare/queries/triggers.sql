-- Triggers, but for those of constraints. The clone on a partition comes and goes with its original; it can be disabled by itself.
select 'trigger' as kind, n.nspname as schema, c.relname as parent, g.tgname as name,
       json_strip_nulls(json_build_object(
           'definition', pg_get_triggerdef(g.oid),
           'fires', case g.tgenabled when 'D' then 'never: disabled' when 'R' then 'on replicas only' when 'A' then 'always' end)) as attributes,
       json_build_object() as details,
       g.tgparentid <> 0 as derived,
       'pg_trigger'::regclass::oid as classid, g.oid as objid, 0 as objsubid
  from pg_trigger as g
  join pg_class as c on c.oid = g.tgrelid
  join pg_namespace as n on n.oid = c.relnamespace
 where not g.tgisinternal
   and n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
