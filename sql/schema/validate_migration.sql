-- The checks by name, and the mission's function over them.

create view crmshift.check_list as
select 'drift_' || m.name as name, 'Every row and column agrees with its mapping' as title, 'error' as severity,
       'crmshift validate --repair' as remedy, m.position as rank
  from crmshift.mapping as m where m.direction = 'to_target'
union all
-- What a check says of itself is its comment: a sentence, an empty line, then Severity: warning where it is no error, and Do: what to do.
select substr(p.proname, 7), coalesce(split_part(c.words, E'\n', 1), substr(p.proname, 7)),
       coalesce(substring(c.words from '(?n)^Severity: (error|warning)$'), 'error'), coalesce(substring(c.words from E'\nDo: (.*)$'), ''), 1000
  from pg_catalog.pg_proc as p
 cross join lateral pg_catalog.obj_description(p.oid, 'pg_proc') as c (words)
 where p.pronamespace = 'crmshift'::regnamespace and p.proname like 'check\_%';
comment on view crmshift.check_list is 'Every check there is: the drift of each mapping, and each function crmshift.check_<name>.';
comment on column crmshift.check_list.title is 'What must hold.';
comment on column crmshift.check_list.severity is 'error: a validation fails where it finds something. warning: it is only shown.';
comment on column crmshift.check_list.remedy is 'What to do about what it finds.';
comment on column crmshift.check_list.rank is 'The order in which they run.';

create function crmshift.refuse_partial_view() returns void
language plpgsql stable
as $$
-- Whoever sees a part of the rows would compare that part, and call clean what he does not see. Forced row-level security is
-- active for owners too: then a policy that lets everything through must apply to the role, and no restrictive one.
declare
    hidden text;
begin
    select string_agg(t.name, ', ' order by t.name) into hidden
      from (select m.target as name from crmshift.mapping as m
             union select f.source from crmshift.feed as f
             union select g.name from crmshift.target_table as g
             union values ('public.workspaces'), ('public.custom_fields')) as t
     where row_security_active(to_regclass(t.name))
       and not coalesce((select bool_or(p.polpermissive and pg_get_expr(p.polqual, p.polrelid) = 'true') and bool_and(p.polpermissive)
                           from pg_catalog.pg_policy as p
                          where p.polrelid = to_regclass(t.name) and p.polcmd in ('*', 'r')
                            and exists (select from unnest(p.polroles) as r (oid) where r.oid = 0 or pg_has_role(r.oid, 'usage'))), false);
    if hidden is not null then
        raise exception 'Row-level security hides rows of % from the role %: what it does not see would be taken for missing.', hidden, current_user
            using errcode = 'SH005', hint = 'Use a role with BYPASSRLS, or the one that installed crmshift.';
    end if;
end
$$;
comment on function crmshift.refuse_partial_view() is 'Raises where row-level security hides rows of either side from the current role.';

create function crmshift.run_check(check_name text, of_workspace uuid default null)
returns table (subject text, key jsonb, detail text, workspace uuid)
language plpgsql stable
set jit = off set work_mem = '64MB'
as $$
-- drift_<mapping> compares one table with its mapping, leaving out what stands in the queue; any other name is crmshift.check_<name>.
begin
    perform crmshift.refuse_partial_view();
    if not exists (select from crmshift.check_list as l where l.name = check_name) then
        raise exception 'There is no check named %.', check_name
            using errcode = 'SH001', hint = 'select name, title from crmshift.check_list lists them.';
    elsif check_name like 'drift\_%' then
        return query
        select substr(check_name, 7), d.key, concat_ws(': ', d.kind, array_to_string(d.columns, ', ')), null::uuid
          from crmshift.drift(substr(check_name, 7), of_workspace) as d
         where not crmshift.is_outstanding(substr(check_name, 7), d.key);
    else
        return query execute format('select c.subject, c.key, c.detail, (to_jsonb(c) ->> ''workspace'')::uuid from crmshift.%I($1) as c', 'check_' || check_name)
               using of_workspace;
    end if;
end
$$;
comment on function crmshift.run_check(text, uuid) is 'One check: no rows when all is well. workspace: null where the check does not say.';

create function crmshift.validate_migration(workspace_uuid uuid default null)
returns table (check_name text, status text, details text)
language plpgsql stable
as $$
-- One statement for whoever calls it, hence one snapshot: right under live writes.
declare
    c record;
begin
    if workspace_uuid is not null and not exists (select from public.workspaces where id = workspace_uuid) then
        raise exception 'There is no workspace %.', workspace_uuid
            using errcode = 'SH002', hint = 'select id, name from workspaces lists them.';
    end if;
    for c in select l.name, l.title, case l.severity when 'warning' then 'WARN' else 'FAIL' end as otherwise, l.name = 'counts' as first
               from crmshift.check_list as l order by l.name <> 'counts', l.rank, l.name loop
        return query
        select case when c.first then 'contact_count' else c.name end || '_validation',
               case when count(*) = 0 then 'PASS' else c.otherwise end,
               case when c.first then (select format('Contacts: %s, Customers: %s',
                                              (select count(*) from public.contacts where workspace_uuid is null or workspace_id = workspace_uuid),
                                              (select count(*) from public.customers where workspace_uuid is null or workspace_id = workspace_uuid)))
                    when count(*) = 0 then c.title
                    else format('%s found, first: %s', count(*), min(concat_ws(' ', f.subject, f.key, f.detail))) end
          from crmshift.run_check(c.name, workspace_uuid) as f;
    end loop;
end
$$;
comment on function crmshift.validate_migration(uuid) is 'All checks, for one workspace or for all: check name, PASS, FAIL or WARN, details. Shows keys and columns, never values.';
