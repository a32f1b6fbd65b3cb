-- Row-level security is enabled and forced, with a policy by workspace, on every table of the target; the policies are those that were
-- made, and none that was added lets everybody in.
create function crmshift.check_row_security(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select t.name, null::jsonb,
       case when not c.relrowsecurity then 'row-level security is off'
            when not c.relforcerowsecurity then 'row-level security is not forced on the owner'
            else 'no policy restricts it to a workspace' end
  from crmshift.target_table as t
  join pg_catalog.pg_class as c on c.oid = t.relid
 where not c.relrowsecurity or not c.relforcerowsecurity
    or not exists (select from crmshift.installed as i where i.kind = 'policy' and i.subject = t.name and i.definition like '%workspace_id%')
union all
select a.subject, jsonb_build_object('policy', a.name), a.detail
  from crmshift.altered(array['policy']) as a
  join crmshift.target_table as t on t.name = a.subject
union all
select o.subject, jsonb_build_object('policy', o.name), 'policy was added, and holds for everybody'
  from crmshift.objects(array['policy']) as o
  join crmshift.target_table as t on t.name = o.subject
 where o.definition ~ ' as permissive for \w+ to public( |$)'
   and not exists (select from crmshift.installed as i where i.kind = 'policy' and i.subject = o.subject and i.name = o.name)
$$;
comment on function crmshift.check_row_security(uuid) is 'Row-level security by workspace is enabled and forced on the target, and its policies are as they were made

Do: alter table … enable row level security; alter table … force row level security; crmshift.installed has the policies. If one is meant so: select crmshift.accept_object(''policy'', subject, name).';
