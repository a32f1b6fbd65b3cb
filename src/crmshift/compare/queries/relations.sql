-- Tables, partitions, foreign tables, views, materialized views and sequences. The sequence of an identity column belongs to its table.
select case c.relkind when 'r' then 'table' when 'p' then 'table' when 'f' then 'foreign table' when 'v' then 'view'
            when 'm' then 'materialized view' when 'S' then 'sequence' end as kind,
       n.nspname as schema,
       case when owned.deptype = 'i' then owned.table else '' end as parent, c.relname as name,
       json_strip_nulls(json_build_object(
           'persistence', case c.relpersistence when 'u' then 'unlogged' end,
           'partitioned by', pg_get_partkeydef(c.oid),
           'partition of', case when c.relispartition then
               (select i.inhparent::regclass::text from pg_inherits as i where i.inhrelid = c.oid) end,
           'bounds', pg_get_expr(c.relpartbound, c.oid),
           'inherits', case when not c.relispartition then
               (select array_agg(i.inhparent::regclass::text order by i.inhseqno) from pg_inherits as i where i.inhrelid = c.oid) end,
           'of type', nullif(c.reloftype, 0)::regtype::text,
           'access method', case when am.amname <> 'heap' then am.amname end,
           'tablespace', (select s.spcname from pg_tablespace as s where s.oid = c.reltablespace),
           -- Values as PostgreSQL understands them: on is true, 0.10 is 0.1.
           'options', (
               select array_agg(o.prefix || split_part(o.option, '=', 1) || '=' || case
                          when split_part(o.option, '=', 1) ~ '^(security_barrier|security_invoker|autovacuum_enabled|user_catalog_table|vacuum_truncate)$'
                              then substring(o.option from '=(.*)')::boolean::text
                          when substring(o.option from '=(.*)') ~ '^\d+(\.\d+)?$'
                              then trim_scale(substring(o.option from '=(.*)')::numeric)::text
                          else lower(substring(o.option from '=(.*)')) end
                      order by o.prefix || o.option)
                 from (select '' as prefix, unnest(c.reloptions) as option
                       union all
                       select 'toast.', unnest(toast.reloptions) from pg_class as toast where toast.oid = c.reltoastrelid) as o),
           'replica identity', case
               when c.relkind not in ('r', 'p') then null
               when c.relreplident = 'n' then 'nothing'
               when c.relreplident = 'f' then 'full'
               when c.relreplident = 'i' then 'index ' || coalesce(
                   (select quote_ident(x.relname) from pg_index as i join pg_class as x on x.oid = i.indexrelid
                     where i.indrelid = c.oid and i.indisreplident), 'that is gone') end,
           'row-level security', case when c.relrowsecurity then 'enabled' end,
           'row-level security for the owner', case when c.relforcerowsecurity then 'forced' end,
           'definition', case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
           'server', (select s.srvname from pg_foreign_table as f join pg_foreign_server as s on s.oid = f.ftserver where f.ftrelid = c.oid),
           'foreign options', (select array_agg(option order by option)
                                 from pg_foreign_table as f cross join unnest(f.ftoptions) as option where f.ftrelid = c.oid),
           'type', format_type(q.seqtypid, null),
           'start', q.seqstart::text, 'increment', q.seqincrement::text, 'minimum', q.seqmin::text, 'maximum', q.seqmax::text,
           'cache', q.seqcache::text, 'cycle', case when q.seqcycle then 'yes' end,
           'owned by', case when owned.deptype = 'a' then owned.column end,
           'identity of', case when owned.deptype = 'i' then owned.column end)) as attributes,
       -- Whether a materialized view is filled is a matter of rows: a dump without them fills none.
       json_strip_nulls(json_build_object(
           'quoted name', c.oid::regclass::text, 'populated', case when c.relkind = 'm' and not c.relispopulated then 'no' end)) as details,
       false as derived,
       'pg_class'::regclass::oid as classid, c.oid as objid, 0 as objsubid
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  left join pg_am as am on am.oid = c.relam
  left join pg_sequence as q on q.seqrelid = c.oid
  left join lateral (
      select d.deptype, t.relname as table, t.oid::regclass::text || '.' || quote_ident(a.attname) as column
        from pg_depend as d
        join pg_class as t on t.oid = d.refobjid
        join pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
       where c.relkind = 'S' and d.classid = 'pg_class'::regclass and d.objid = c.oid and d.objsubid = 0
         and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')) as owned on true
 where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S') and n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
