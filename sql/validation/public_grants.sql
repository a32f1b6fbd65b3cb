-- Nothing of the target, and nothing of crmshift's own, is granted to everybody. But for the views that let whoever may use the schema
-- lock a customer; they show only customers that he can see.
create function crmshift.check_public_grants(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select t.name, jsonb_build_object('privilege', lower(x.privilege_type)), 'is granted to PUBLIC'
  from (select t.name, t.relid from crmshift.target_table as t
         union all
        select format('crmshift.%I', c.relname), c.oid from pg_catalog.pg_class as c
         where c.relnamespace = 'crmshift'::regnamespace and c.relname not in ('customer_lock', 'customer_field_lock', 'appointment_lock')) as t
  join pg_catalog.pg_class as c on c.oid = t.relid
 cross join lateral (select x.* from pg_catalog.aclexplode(c.relacl) as x
                      union select x.* from pg_catalog.pg_attribute as a cross join lateral pg_catalog.aclexplode(a.attacl) as x where a.attrelid = c.oid) as x
 where x.grantee = 0
union all
select 'crmshift', jsonb_build_object('privilege', lower(x.privilege_type)), 'is granted to PUBLIC'
  from pg_catalog.pg_namespace as n cross join lateral pg_catalog.aclexplode(n.nspacl) as x
 where n.nspname = 'crmshift' and x.grantee = 0
$$;
comment on function crmshift.check_public_grants(uuid) is 'Nothing of the target or of crmshift is granted to everybody

Do: revoke … from public; grant it to the roles that need it.';
