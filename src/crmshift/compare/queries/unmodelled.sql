-- Objects of kinds that no file beside this one reads, those of versions to come included: what they are called, and that they are there.
select 'kind not modelled' as kind, coalesce(i.schema, '') as schema, '' as parent, format('%s %s', i.type, i.identity) as name,
       json_build_object() as attributes, json_build_object() as details, false as derived,
       d.classid, d.objid, 0 as objsubid
  from (select distinct classid, objid from pg_depend where objid >= 16384 and objsubid = 0) as d
 cross join lateral pg_identify_object(d.classid, d.objid, 0) as i
 where d.classid <> all (array[
       'pg_class', 'pg_attrdef', 'pg_constraint', 'pg_trigger', 'pg_rewrite', 'pg_policy', 'pg_proc', 'pg_type', 'pg_namespace', 'pg_extension',
       'pg_statistic_ext', 'pg_collation', 'pg_operator', 'pg_opclass', 'pg_opfamily', 'pg_amop', 'pg_amproc', 'pg_conversion', 'pg_ts_config',
       'pg_ts_dict', 'pg_ts_parser', 'pg_ts_template', 'pg_default_acl', 'pg_event_trigger', 'pg_publication', 'pg_publication_rel',
       'pg_publication_namespace', 'pg_subscription', 'pg_cast', 'pg_language', 'pg_transform', 'pg_am', 'pg_foreign_data_wrapper',
       'pg_foreign_server', 'pg_user_mapping']::regclass[]::oid[])
   and current_setting('crmshift.schemas') = '{}'
