-- What depends on what, by address. Parts stand for the whole: a view's rule for the view, a default for its column, the type of
-- a table's rows for the table, an array for its element, an index for its constraint,
-- a table in a publication for the publication, what an extension brought along for the extension.
-- That a sequence is owned by a column is left out: it is said after both are made, and the column's default needs the sequence.
with addressed as (
    select d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid
      from pg_depend as d
     where d.deptype in ('n', 'a', 'i', 'P', 'S') and d.refobjid >= 16384
       and not (d.deptype = 'a' and d.classid = 'pg_class'::regclass and d.refobjsubid > 0
                and exists (select from pg_class as s where s.oid = d.objid and s.relkind = 'S'))
), whole (classid, objid, as_classid, as_objid, as_objsubid) as (
    select 'pg_rewrite'::regclass::oid, r.oid, 'pg_class'::regclass::oid, r.ev_class, 0 from pg_rewrite as r where r.rulename = '_RETURN'
    union all
    select 'pg_attrdef'::regclass, a.oid, 'pg_class'::regclass, a.adrelid, a.adnum from pg_attrdef as a
    union all
    select 'pg_type'::regclass, t.oid, 'pg_class'::regclass, t.typrelid, 0
      from pg_type as t join pg_class as c on c.oid = t.typrelid where c.relkind <> 'c'
    union all
    select 'pg_type'::regclass, array_type.oid, case when c.relkind <> 'c' then 'pg_class'::regclass else 'pg_type'::regclass end,
           case when c.relkind <> 'c' then c.oid else t.oid end, 0
      from pg_type as t join pg_type as array_type on array_type.oid = t.typarray left join pg_class as c on c.oid = t.typrelid
    union all
    select 'pg_type'::regclass, r.rngmultitypid, 'pg_type'::regclass, r.rngtypid, 0 from pg_range as r
    union all
    select 'pg_class'::regclass, c.oid, 'pg_type'::regclass, c.reltype, 0 from pg_class as c where c.relkind = 'c'
    union all
    select 'pg_class'::regclass, k.conindid, 'pg_constraint'::regclass, k.oid, 0
      from pg_constraint as k where k.contype in ('p', 'u', 'x') and k.conindid <> 0
    union all
    select 'pg_publication_rel'::regclass, r.oid, 'pg_publication'::regclass, r.prpubid, 0 from pg_publication_rel as r
    union all
    select 'pg_publication_namespace'::regclass, s.oid, 'pg_publication'::regclass, s.pnpubid, 0 from pg_publication_namespace as s
    union all
    select m.classid, m.objid, m.refclassid, m.refobjid, 0 from pg_depend as m where m.deptype = 'e'
)
select distinct coalesce(a.as_classid, d.classid) as classid, coalesce(a.as_objid, d.objid) as objid, coalesce(a.as_objsubid, d.objsubid) as objsubid,
       coalesce(b.as_classid, d.refclassid) as refclassid, coalesce(b.as_objid, d.refobjid) as refobjid, coalesce(b.as_objsubid, d.refobjsubid) as refobjsubid
  from addressed as d
  left join whole as a on a.classid = d.classid and a.objid = d.objid
  left join whole as b on b.classid = d.refclassid and b.objid = d.refobjid
