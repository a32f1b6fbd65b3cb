-- There is something to compare: nothing checked is a failure, not a pass. But a CRM that never had a contact is right as it is:
-- its backfill found nothing to walk, and no validation has seen a row since. An empty workspace is not told from a wrong one.
create function crmshift.check_rows_compared(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select 'contacts', null::jsonb, 'there is neither a contact nor a customer to compare'
 where not exists (select from public.contacts where $1 is null or workspace_id = $1)
   and not exists (select from public.customers where $1 is null or workspace_id = $1)
   and ($1 is not null
        or not exists (select from crmshift.backfill_walk)
        or exists (select from crmshift.backfill_walk as w where w.rows_total > 0)
        or exists (select from crmshift.validation_run as r cross join jsonb_array_elements(r.accuracies) as a where (a ->> 'rows')::bigint > 0))
$$;
comment on function crmshift.check_rows_compared(uuid) is 'There is something to compare, unless there never was

Do: Is it the right database, and the right workspace? select id, name from workspaces.';
