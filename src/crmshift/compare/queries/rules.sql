-- Rewrite rules, but for those that make a view a view.
select 'rule' as kind, n.nspname as schema, c.relname as parent, r.rulename as name,
       json_strip_nulls(json_build_object(
           'definition', pg_get_ruledef(r.oid),
           'fires', case r.ev_enabled when 'D' then 'never: disabled' when 'R' then 'on replicas only' when 'A' then 'always' end)) as attributes,
       json_build_object() as details,
       false as derived,
       'pg_rewrite'::regclass::oid as classid, r.oid as objid, 0 as objsubid
  from pg_rewrite as r
  join pg_class as c on c.oid = r.ev_class
  join pg_namespace as n on n.oid = c.relnamespace
 where r.rulename <> '_RETURN'
   and n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
