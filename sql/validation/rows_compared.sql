-- There is something to compare: nothing checked is a failure, not a pass.
create function crmshift.check_rows_compared(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select 'contacts', null::jsonb, 'there is neither a contact nor a customer to compare'
 where not exists (select from public.contacts where $1 is null or workspace_id = $1)
   and not exists (select from public.customers where $1 is null or workspace_id = $1)
$$;
comment on function crmshift.check_rows_compared(uuid) is 'There is something to compare

Do: Is it the right database, and the right workspace? select id, name from workspaces.';
