-- A function that runs with its owner's rights finds what it means, whatever the caller's search_path: it has one of its own, with the caller's
-- temporary tables last in it. And its owner is the one who owns the rest.
create function crmshift.check_definer_functions(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select f.name, null::jsonb,
       case when f.path is null then 'search_path is not pinned'
            when f.path !~ '(^|, ?)pg_temp$' then 'pg_temp is not last in its search_path'
            else 'its owner is not that of schema crmshift' end
  from (select format('%I.%I', n.nspname, p.proname) as name, p.proowner, n.nspowner,
               (select substr(c, 13) from unnest(p.proconfig) as c where c like 'search\_path=%') as path
          from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
         where n.nspname = 'crmshift' and p.prosecdef) as f
 where f.path is null or f.path !~ '(^|, ?)pg_temp$' or f.proowner <> f.nspowner
$$;
comment on function crmshift.check_definer_functions(uuid) is 'Functions that run with their owner''s rights have a search_path of their own

Do: alter function … set search_path = pg_catalog, …, pg_temp; alter function … owner to …';
