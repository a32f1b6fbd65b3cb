-- Policies of row-level security.
select 'policy' as kind, n.nspname as schema, c.relname as parent, p.polname as name,
       json_strip_nulls(json_build_object(
           'for', case p.polcmd when '*' then 'all' when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' end,
           'restrictive', case when not p.polpermissive then 'yes' end,
           'to', (select array_agg(named.role order by named.role)
                    from (select case when r.oid = 0 then 'public' else r.oid::regrole::text end as role from unnest(p.polroles) as r (oid)) as named),
           'using', pg_get_expr(p.polqual, p.polrelid),
           'with check', pg_get_expr(p.polwithcheck, p.polrelid))) as attributes,
       json_build_object() as details,
       false as derived,
       'pg_policy'::regclass::oid as classid, p.oid as objid, 0 as objsubid
  from pg_policy as p
  join pg_class as c on c.oid = p.polrelid
  join pg_namespace as n on n.oid = c.relnamespace
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
