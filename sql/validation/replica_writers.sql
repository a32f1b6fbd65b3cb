-- Nobody writes a mapped table in a way that fires no trigger of crmshift.
create function crmshift.check_replica_writers(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
with attached as (
    select f.source, array_agg(r.relid) as ids,
           bool_or(exists (select from pg_catalog.pg_trigger as t
                            where t.tgrelid = r.relid and t.tgname like 'crmshift\_sync\_%' and t.tgenabled <> 'A')) as ordinary
      from (select distinct source from crmshift.feed) as f
     cross join lateral (select to_regclass(f.source) as relid union select p.relid from pg_catalog.pg_partition_tree(to_regclass(f.source)) as p) as r
     group by f.source
)
-- The worker of a subscription fires triggers for rows only, and crmshift's are for statements.
select a.source, jsonb_build_object('subscription', s.subname),
       'a subscription writes it, and is not followed: disable it, or validate --repair after it'
  from attached as a
  join pg_catalog.pg_subscription_rel as r on r.srrelid = any (a.ids)
  join pg_catalog.pg_subscription as s on s.oid = r.srsubid
 where s.subenabled
union all
select a.source, jsonb_strip_nulls(jsonb_build_object('role', r.rolname, 'database', d.datname)),
       'sessions start with session_replication_role = replica, which fires no ordinary trigger: attach the table with fires: always'
  from attached as a
 cross join pg_catalog.pg_db_role_setting as g
  left join pg_catalog.pg_roles as r on r.oid = g.setrole
  left join pg_catalog.pg_database as d on d.oid = g.setdatabase
 where a.ordinary
   and g.setdatabase in (0, (select o.oid from pg_catalog.pg_database as o where o.datname = pg_catalog.current_database()))
   and 'session_replication_role=replica' = any (g.setconfig)
union all
select a.source, jsonb_build_object('setting', 'session_replication_role'),
       'the server starts sessions with session_replication_role = replica, which fires no ordinary trigger: attach the table with fires: always'
  from attached as a
 where a.ordinary
   and exists (select from pg_catalog.pg_settings as s
                where s.name = 'session_replication_role' and s.reset_val = 'replica' and s.source = 'configuration file')
$$;
comment on function crmshift.check_replica_writers(uuid) is 'Nobody writes a mapped table past its sync triggers

Do: Attach the table with fires: always, or take the setting or the subscription away; then crmshift validate --repair for what was missed.';
