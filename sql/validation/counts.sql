-- Every workspace has as many customers as contacts.
create function crmshift.check_counts(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select 'workspaces', jsonb_build_object('workspace_id', coalesce(c.workspace_id, t.workspace_id)),
       format('contacts: %s, customers: %s', coalesce(c.n, 0), coalesce(t.n, 0))
  from (select workspace_id, count(*) as n from public.contacts where $1 is null or workspace_id = $1 group by 1) as c
  full join (select workspace_id, count(*) as n from public.customers where $1 is null or workspace_id = $1 group by 1) as t
    on t.workspace_id = c.workspace_id
 where c.n is distinct from t.n
$$;
comment on function crmshift.check_counts(uuid) is 'Every workspace has as many customers as contacts';
