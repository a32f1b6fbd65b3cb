-- Columns of tables, views and composite types. Their order is a detail. A view's columns are its definition's; so are the
-- fields of a composite type, which are listed there in order; both are here for their defaults, comments and grants.
select 'column' as kind, n.nspname as schema, c.relname as parent, a.attname as name,
       json_strip_nulls(json_build_object(
           'type', case when not of_definition then format_type(a.atttypid, a.atttypmod) end,
           'collation', case when not of_definition and a.attcollation <> t.typcollation then a.attcollation::regcollation::text end,
           -- From version 18 it is a named constraint. PARTITION OF, LIKE and older dumps name it differently, which changes nothing.
           'not null', case when a.attnotnull then
               concat_ws(', ', 'yes', case when not nn.convalidated then 'not valid' end, case when nn.connoinherit then 'not inherited' end) end,
           'default', case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
           'generated', case when a.attgenerated <> '' then format('(%s) %s', pg_get_expr(d.adbin, d.adrelid),
               case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' end) end,
           'identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end,
           'storage', case when not of_definition and a.attstorage <> t.typstorage then
               case a.attstorage when 'p' then 'plain' when 'e' then 'external' when 'x' then 'extended' when 'm' then 'main' end end,
           'compression', case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end,
           'statistics target', case when coalesce(a.attstattarget, -1) >= 0 then a.attstattarget::text end,
           'options', (select array_agg(option order by option) from unnest(a.attoptions) as option),
           'foreign options', (select array_agg(option order by option) from unnest(a.attfdwoptions) as option),
           'inherited', case when a.attinhcount > 0 and not c.relispartition then
               case when a.attislocal then 'and declared here too' else 'yes' end end,
           'comment on not null', obj_description(nn.oid, 'pg_constraint'))) as attributes,
       json_strip_nulls(json_build_object(
           'position', lpad(a.attnum::text, 5, '0'), 'type', format_type(a.atttypid, a.atttypmod),
           'of', case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
                                when 'c' then 'composite type' else 'table' end,
           'not null constraint', nn.conname,
           'inherited', case when a.attinhcount > 0 then 'yes' end)) as details,
       of_definition as derived,
       'pg_class'::regclass::oid as classid, c.oid as objid, a.attnum as objsubid
  from pg_attribute as a
  join pg_class as c on c.oid = a.attrelid
  join pg_namespace as n on n.oid = c.relnamespace
  join pg_type as t on t.oid = a.atttypid
 cross join lateral (select c.relkind in ('v', 'm', 'c') as of_definition) as made
  left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
  left join pg_constraint as nn on nn.conrelid = a.attrelid and nn.contype = 'n' and nn.conkey = array[a.attnum]
 where c.relkind in ('r', 'p', 'f', 'v', 'm', 'c') and a.attnum > 0 and not a.attisdropped
   and n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
