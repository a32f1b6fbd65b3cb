-- What a role grants on what it will make: in one schema as an addition, everywhere in place of what PostgreSQL grants by itself.
select 'default privileges' as kind, coalesce(n.nspname, '') as schema, '' as parent,
       format('of %s for %s', a.defaclrole::regrole,
              case a.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types'
                                   when 'n' then 'schemas' when 'L' then 'large objects' end) as name,
       json_strip_nulls(json_build_object('grants', (
           select array_agg(g.text order by g.text)
             from (select case when has is null then 'no ' else '' end || privilege_type || ' to '
                          || case grantee when 0 then 'PUBLIC' when a.defaclrole then 'its owner' else quote_ident(pg_get_userbyid(grantee)) end
                          || case when has.is_grantable then ' with grant option' else '' end as text
                     from (select e.grantee, e.privilege_type, bool_or(e.is_grantable) as is_grantable from aclexplode(a.defaclacl) as e group by 1, 2) as has
                     full join (select e.grantee, e.privilege_type, e.is_grantable
                                  from aclexplode(acldefault(case a.defaclobjtype when 'S' then 's' else a.defaclobjtype end, a.defaclrole)) as e
                                 where a.defaclnamespace = 0) as had using (grantee, privilege_type)
                    where had is null or has is null or has.is_grantable is distinct from had.is_grantable) as g))) as attributes,
       json_build_object('role', a.defaclrole::regrole::text) as details,
       false as derived,
       'pg_default_acl'::regclass::oid as classid, a.oid as objid, 0 as objsubid
  from pg_default_acl as a
  left join pg_namespace as n on n.oid = a.defaclnamespace
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
    or (a.defaclnamespace = 0 and current_setting('crmshift.schemas') = '{}')
