-- Comments and security labels.
select d.classoid as classid, d.objoid as objid, d.objsubid, 'comment' as attribute, to_json(d.description) as value
  from pg_description as d
 where d.objoid >= 16384 or d.classoid = 'pg_namespace'::regclass
union all
select l.classoid, l.objoid, l.objsubid, 'security label', to_json(array_agg(l.provider || ': ' || l.label order by l.provider))
  from pg_seclabel as l
 group by 1, 2, 3
