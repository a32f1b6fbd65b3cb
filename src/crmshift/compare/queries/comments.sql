-- Comments, security labels, and the extensions that an object goes with when they are dropped.
select d.classoid as classid, d.objoid as objid, d.objsubid, 'comment' as attribute, to_json(d.description) as value
  from pg_description as d
 where d.objoid >= 16384 or d.classoid in ('pg_namespace'::regclass, 'pg_extension'::regclass)
union all
select l.classoid, l.objoid, l.objsubid, 'security label', to_json(array_agg(l.provider || ': ' || l.label order by l.provider))
  from pg_seclabel as l
 group by 1, 2, 3
union all
select d.classid, d.objid, 0, 'depends on extensions', to_json(array_agg(e.extname order by e.extname))
  from pg_depend as d join pg_extension as e on e.oid = d.refobjid and d.refclassid = 'pg_extension'::regclass
 where d.deptype = 'x'
 group by 1, 2, 3
