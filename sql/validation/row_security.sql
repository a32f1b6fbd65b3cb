-- Row-level security is enabled and forced, with a policy by workspace, on every table of the target.
create function crmshift.check_row_security(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select t.name, null::jsonb,
       case when not c.relrowsecurity then 'row-level security is off'
            when not c.relforcerowsecurity then 'row-level security is not forced on the owner'
            else 'no policy restricts it to a workspace' end
  from (values ('public.customers'), ('public.leads'), ('public.customer_custom_fields'), ('public.lead_custom_fields'),
               ('public.lead_appointments'), ('public.appointment_custom_fields')) as t (name)
  join pg_catalog.pg_class as c on c.oid = to_regclass(t.name)
 where not c.relrowsecurity or not c.relforcerowsecurity
    or not exists (select from pg_catalog.pg_policy as p where p.polrelid = c.oid
                      and pg_catalog.pg_get_expr(p.polqual, p.polrelid) like '%app.workspace_id%')
$$;
comment on function crmshift.check_row_security(uuid) is 'Row-level security by workspace is enabled and forced on the target';
