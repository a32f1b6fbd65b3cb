-- The checks by name, and the mission's function over them.

create function crmshift.run_check(check_name text, of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language plpgsql stable
as $$
-- drift_<mapping> compares one table with its mapping, leaving out what stands in the queue; any other name is crmshift.check_<name>.
begin
    if check_name like 'drift\_%' then
        return query
        select substr(check_name, 7), d.key, concat_ws(': ', d.kind, array_to_string(d.columns, ', '))
          from crmshift.drift(substr(check_name, 7), of_workspace) as d
         where not crmshift.is_outstanding(substr(check_name, 7), d.key);
    else
        return query execute format('select c.subject, c.key, c.detail from crmshift.%I($1) as c', 'check_' || check_name) using of_workspace;
    end if;
end
$$;
comment on function crmshift.run_check(text, uuid) is 'One check: no rows when all is well.';

create view crmshift.check_list as
select 'drift_' || m.name as name, 'Every row and column agrees with its mapping' as title, m.position as rank
  from crmshift.mapping as m where m.direction = 'to_target'
union all
select substr(p.proname, 7), pg_catalog.obj_description(p.oid, 'pg_proc'), 1000
  from pg_catalog.pg_proc as p
 where p.pronamespace = 'crmshift'::regnamespace and p.proname like 'check\_%';
comment on view crmshift.check_list is 'Every check there is: the drift of each mapping, and each function crmshift.check_<name>.';

create function crmshift.validate_migration(workspace_uuid uuid)
returns table (check_name text, status text, details text)
language plpgsql stable
as $$
declare
    c record;
begin
    if not exists (select from public.workspaces where id = workspace_uuid) then
        raise exception 'There is no workspace %.', workspace_uuid
            using errcode = 'SH002', hint = 'select id, name from workspaces lists them.';
    end if;
    return query
    select 'contact_count_validation', case when n.contacts = n.customers then 'PASS' else 'FAIL' end,
           format('Contacts: %s, Customers: %s', n.contacts, n.customers)
      from (select (select count(*) from public.contacts where workspace_id = workspace_uuid) as contacts,
                   (select count(*) from public.customers where workspace_id = workspace_uuid) as customers) as n;
    for c in select l.name, l.title from crmshift.check_list as l where l.name <> 'counts' order by l.rank, l.name loop
        return query
        select c.name || '_validation', case when count(*) = 0 then 'PASS' else 'FAIL' end,
               case when count(*) = 0 then c.title else format('%s found, first: %s %s', count(*), min(f.subject), min(f.detail)) end
          from crmshift.run_check(c.name, workspace_uuid) as f;
    end loop;
end
$$;
comment on function crmshift.validate_migration(uuid) is 'All checks for one workspace: check name, PASS or FAIL, details. Shows keys and columns, never values.';
