-- Extensions; what they brought along is theirs, and not listed.
select 'extension' as kind, '' as schema, '' as parent, e.extname as name,
       json_build_object('version', e.extversion, 'schema', e.extnamespace::regnamespace::text) as attributes,
       json_build_object() as details,
       false as derived,
       'pg_extension'::regclass::oid as classid, e.oid as objid, 0 as objsubid
  from pg_extension as e
