-- Who owns what, and what else than by default is granted. Who granted it does not count, nor does the order.
with owned (classid, objid, objsubid, owner, kind, acl) as (
    select 'pg_class'::regclass::oid, c.oid, 0, c.relowner, case c.relkind when 'S' then 's' else 'r' end, c.relacl
      from pg_class as c where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S') and c.oid >= 16384
    union all
    select 'pg_class'::regclass, a.attrelid, a.attnum, c.relowner, 'c', a.attacl
      from pg_attribute as a join pg_class as c on c.oid = a.attrelid where a.attacl is not null and c.oid >= 16384
    union all
    select 'pg_proc'::regclass, p.oid, 0, p.proowner, 'f', p.proacl from pg_proc as p where p.oid >= 16384
    union all
    select 'pg_type'::regclass, t.oid, 0, t.typowner, 'T', t.typacl from pg_type as t where t.oid >= 16384
    union all
    select 'pg_namespace'::regclass, n.oid, 0, n.nspowner, 'n', n.nspacl from pg_namespace as n where n.nspname !~ '^pg_'
    union all
    select 'pg_language'::regclass, l.oid, 0, l.lanowner, 'l', l.lanacl from pg_language as l where l.lanispl
    union all
    select 'pg_foreign_data_wrapper'::regclass, w.oid, 0, w.fdwowner, 'F', w.fdwacl from pg_foreign_data_wrapper as w
    union all
    select 'pg_foreign_server'::regclass, s.oid, 0, s.srvowner, 'S', s.srvacl from pg_foreign_server as s
    union all
    select 'pg_operator'::regclass, o.oid, 0, o.oprowner, null, null from pg_operator as o where o.oid >= 16384
    union all
    select 'pg_opclass'::regclass, o.oid, 0, o.opcowner, null, null from pg_opclass as o where o.oid >= 16384
    union all
    select 'pg_opfamily'::regclass, f.oid, 0, f.opfowner, null, null from pg_opfamily as f where f.oid >= 16384
    union all
    select 'pg_collation'::regclass, c.oid, 0, c.collowner, null, null from pg_collation as c where c.oid >= 16384
    union all
    select 'pg_conversion'::regclass, c.oid, 0, c.conowner, null, null from pg_conversion as c where c.oid >= 16384
    union all
    select 'pg_ts_config'::regclass, c.oid, 0, c.cfgowner, null, null from pg_ts_config as c where c.oid >= 16384
    union all
    select 'pg_ts_dict'::regclass, d.oid, 0, d.dictowner, null, null from pg_ts_dict as d where d.oid >= 16384
    union all
    select 'pg_statistic_ext'::regclass, s.oid, 0, s.stxowner, null, null from pg_statistic_ext as s
    union all
    select 'pg_event_trigger'::regclass, e.oid, 0, e.evtowner, null, null from pg_event_trigger as e
    union all
    select 'pg_publication'::regclass, p.oid, 0, p.pubowner, null, null from pg_publication as p
    union all
    select 'pg_subscription'::regclass, s.oid, 0, s.subowner, null, null from pg_subscription as s
), granted as (
    select o.classid, o.objid, o.objsubid, o.owner, e.grantee, e.privilege_type, bool_or(e.is_grantable) as is_grantable
      from owned as o cross join lateral aclexplode(o.acl) as e
     where o.acl is not null
     group by 1, 2, 3, 4, 5, 6
), by_default as (
    select o.classid, o.objid, o.objsubid, o.owner, e.grantee, e.privilege_type, e.is_grantable
      from owned as o cross join lateral aclexplode(acldefault(o.kind::"char", o.owner)) as e
     where o.acl is not null
)
select o.classid, o.objid, o.objsubid, 'owner' as attribute, to_json(pg_get_userbyid(o.owner)) as value
  from owned as o where o.objsubid = 0
union all
select classid, objid, objsubid, 'grants',
       to_json(array_agg(case when g is null then 'no ' else '' end || privilege_type || ' to '
                         || case grantee when 0 then 'PUBLIC' when owner then 'its owner' else quote_ident(pg_get_userbyid(grantee)) end
                         || case when g.is_grantable then ' with grant option' else '' end
                         order by grantee <> 0, grantee <> owner, pg_get_userbyid(grantee), privilege_type))
  from granted as g
  full join by_default as d using (classid, objid, objsubid, owner, grantee, privilege_type)
 where g is null or d is null or g.is_grantable is distinct from d.is_grantable
 group by classid, objid, objsubid
