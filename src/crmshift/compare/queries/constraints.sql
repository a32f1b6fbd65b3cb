-- Constraints of tables and domains, with what is said of the index behind them. NOT NULL is a column's attribute.
-- Left out are those that PostgreSQL keeps for another's sake: foreign keys of and to partitions, checks of inheriting tables.
select 'constraint' as kind, n.nspname as schema, coalesce(c.relname, t.typname) as parent, k.conname as name,
       json_strip_nulls(json_build_object(
           'definition', substring(said.definition from 1 for length(said.definition) - length(said.ending)),
           'deferrable', case when k.condeferred then 'initially deferred' when k.condeferrable then 'yes' end,
           'enforced', case when said.ending ~ 'NOT ENFORCED' then 'no' end,
           'validated', case when not k.convalidated and said.ending !~ 'NOT ENFORCED' then 'no' end,
           'not inherited', case when k.contype = 'c' and k.connoinherit then 'yes' end,
           'inherited', case when k.contype = 'c' and k.coninhcount > 0 then 'and declared here too' end,
           'index', case when not i.indisvalid and x.relkind = 'i' then 'invalid'
                         when not i.indisvalid then 'invalid: a partition lacks its own' end,
           'index is part of', case when k.conparentid <> 0 then
               (select p.conrelid::regclass::text || '.' || quote_ident(p.conname) from pg_constraint as p where p.oid = k.conparentid) end,
           'index options', (select array_agg(lower(option) order by option) from unnest(x.reloptions) as option),
           'index tablespace', (select s.spcname from pg_tablespace as s where s.oid = x.reltablespace),
           'clustered', case when i.indisclustered then 'yes' end,
           'comment on index', case when i.indexrelid is not null then obj_description(x.oid, 'pg_class') end,
           -- ALTER TABLE ... DISABLE TRIGGER ALL turns off foreign keys too.
           'triggers', (select string_agg(distinct case g.tgenabled when 'D' then 'disabled' when 'R' then 'on replicas only' when 'A' then 'always' end, ', ')
                          from pg_trigger as g where g.tgconstraint = k.oid and g.tgisinternal and g.tgenabled <> 'O'))) as attributes,
       json_strip_nulls(json_build_object(
           'type', case k.contype when 'p' then 'primary key' when 'u' then 'unique' when 'c' then 'check' when 'f' then 'foreign key' when 'x' then 'exclude' end,
           'of', case when k.contypid <> 0 then 'domain' else 'table' end,
           'index definition', case when k.contype in ('p', 'u') then pg_get_indexdef(x.oid) end,
           'full definition', said.definition)) as details,
       false as derived,
       'pg_constraint'::regclass::oid as classid, k.oid as objid, 0 as objsubid
  from pg_constraint as k
  left join pg_class as c on c.oid = k.conrelid
  left join pg_type as t on t.oid = k.contypid
  join pg_namespace as n on n.oid = coalesce(c.relnamespace, t.typnamespace)
  left join pg_index as i on i.indexrelid = k.conindid and k.contype in ('p', 'u', 'x')
  left join pg_class as x on x.oid = i.indexrelid
 cross join lateral (select pg_get_constraintdef(k.oid) as whole) as got
 cross join lateral (
     select got.whole as definition,
            coalesce(substring(got.whole from '(?: NO INHERIT)?(?: DEFERRABLE)?(?: INITIALLY DEFERRED)?(?: NOT ENFORCED)?(?: NOT VALID)?$'), '') as ending) as said
 where k.contype in ('p', 'u', 'c', 'f', 'x')
   and (k.contype <> 'f' or k.conparentid = 0)
   and (k.contype <> 'c' or k.coninhcount = 0 or (k.conislocal and not c.relispartition))
   and n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
