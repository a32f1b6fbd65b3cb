-- Every index of a mapped table and of crmshift's own serves. One that is just being built is left alone.
create function crmshift.check_indexes_valid(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select t.name, jsonb_build_object('index', c.relname), 'index is invalid'
  from (select name, relid from crmshift.target_table
         union select m.target, to_regclass(m.target) from crmshift.mapping as m
         union select r.oid::regclass::text, r.oid from pg_catalog.pg_class as r where r.relnamespace = 'crmshift'::regnamespace) as t
  join pg_catalog.pg_index as i on i.indrelid = t.relid
  join pg_catalog.pg_class as c on c.oid = i.indexrelid
 where not (i.indisvalid and i.indisready and i.indislive)
   and not exists (select from pg_catalog.pg_stat_progress_create_index as p where p.index_relid = i.indexrelid)
$$;
comment on function crmshift.check_indexes_valid(uuid) is 'No index of a mapped table is invalid

Do: reindex index concurrently …; drop what a failed create index concurrently left behind.';
