-- Enums, domains, composite types, ranges and base types. The type of a table's rows, arrays and multiranges are parts of others.
select case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'c' then 'composite type' when 'r' then 'range' else 'base type' end as kind,
       n.nspname as schema, '' as parent, t.typname as name,
       json_strip_nulls(json_build_object(
           'labels', (select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum as e where e.enumtypid = t.oid),
           'type', case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end,
           'collation', case when t.typtype = 'd' and t.typcollation <> base.typcollation then t.typcollation::regcollation::text
                             when t.typtype = 'b' and t.typcollation <> 0 then 'collatable' end,
           'not null', case when t.typnotnull then 'yes' end,
           'default', case when t.typtype = 'd' then pg_get_expr(t.typdefaultbin, 0) else t.typdefault end,
           'fields', (select array_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
                                       || case when a.attcollation <> f.typcollation then ' collate ' || a.attcollation::regcollation else '' end
                                       order by a.attnum)
                        from pg_attribute as a join pg_type as f on f.oid = a.atttypid
                       where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped),
           'subtype', format_type(r.rngsubtype, null),
           'subtype operator class', case when not o.opcdefault then (select format('%I.%I', s.nspname, o.opcname) from pg_namespace as s where s.oid = o.opcnamespace) end,
           'subtype collation', case when r.rngcollation <> sub.typcollation then r.rngcollation::regcollation::text end,
           'canonical function', nullif(r.rngcanonical::oid, 0)::regprocedure::text,
           'difference function', nullif(r.rngsubdiff::oid, 0)::regprocedure::text,
           'multirange', r.rngmultitypid::regtype::text,
           'defined', case when not t.typisdefined then 'no: a shell' end,
           'input', in_base.input, 'output', in_base.output, 'receive', in_base.receive, 'send', in_base.send,
           'modifier input', in_base.modifier_input, 'modifier output', in_base.modifier_output,
           'analyze', in_base.analyze, 'subscript', in_base.subscript, 'length', in_base.length, 'by value', in_base.by_value,
           'alignment', in_base.alignment, 'storage', in_base.storage, 'category', in_base.category,
           'delimiter', in_base.delimiter, 'element', in_base.element)) as attributes,
       json_build_object() as details,
       false as derived,
       'pg_type'::regclass::oid as classid, t.oid as objid, 0 as objsubid
  from pg_type as t
  join pg_namespace as n on n.oid = t.typnamespace
  left join pg_type as base on base.oid = t.typbasetype
  left join pg_range as r on r.rngtypid = t.oid
  left join pg_opclass as o on o.oid = r.rngsubopc
  left join pg_type as sub on sub.oid = r.rngsubtype
  left join lateral (
      select t.typinput::regprocedure::text as input, t.typoutput::regprocedure::text as output,
             nullif(t.typreceive::oid, 0)::regprocedure::text as receive, nullif(t.typsend::oid, 0)::regprocedure::text as send,
             nullif(t.typmodin::oid, 0)::regprocedure::text as modifier_input, nullif(t.typmodout::oid, 0)::regprocedure::text as modifier_output,
             nullif(t.typanalyze::oid, 0)::regprocedure::text as analyze, nullif(t.typsubscript::oid, 0)::regprocedure::text as subscript,
             t.typlen::text as length, case when t.typbyval then 'yes' end as by_value, t.typalign::text as alignment,
             t.typstorage::text as storage, t.typcategory::text || case when t.typispreferred then ', preferred' else '' end as category,
             t.typdelim::text as delimiter, nullif(t.typelem, 0)::regtype::text as element
       where t.typtype = 'b' and t.typisdefined) as in_base on true
 where t.typtype in ('e', 'd', 'c', 'r', 'b', 'p')
   and (t.typtype <> 'c' or exists (select from pg_class as c where c.oid = t.typrelid and c.relkind = 'c'))
   and not exists (select from pg_type as element where element.typarray = t.oid)
   and n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
