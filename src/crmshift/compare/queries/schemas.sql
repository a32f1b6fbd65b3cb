-- The schemas that are compared: those of the setting crmshift.schemas, all but PostgreSQL's own where it is empty.
-- All files beside this one read only what is in these; each row is one object: what it is, what is compared, what else is
-- needed to make it, and its address in pg_depend. They run under an empty search_path, so that every name is qualified.
select 'schema' as kind, n.nspname as schema, '' as parent, n.nspname as name,
       json_build_object() as attributes, json_build_object() as details, false as derived,
       'pg_namespace'::regclass::oid as classid, n.oid as objid, 0 as objsubid
  from pg_namespace as n
 where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
   and (n.nspname = any (current_setting('crmshift.schemas')::text[]) or current_setting('crmshift.schemas') = '{}')
