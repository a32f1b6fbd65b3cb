-- Every workspace has as many customers as contacts. Those that stand in the sync queue are not counted.
create function crmshift.check_counts(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text, workspace uuid)
language sql stable parallel safe
as $$
with waiting as (
    select (q.key ->> 'id')::uuid as id from crmshift.sync_queue as q where q.subject = 'contacts'
), c as (
    select workspace_id, count(*) as n from public.contacts as r
     where ($1 is null or workspace_id = $1) and not exists (select from waiting as w where w.id = r.id) group by 1
), t as (
    select workspace_id, count(*) as n from public.customers as r
     where ($1 is null or workspace_id = $1) and not exists (select from waiting as w where w.id = r.cst_id) group by 1
)
select 'workspaces', jsonb_build_object('workspace_id', workspace_id),
       format('contacts: %s, customers: %s', coalesce(c.n, 0), coalesce(t.n, 0)), workspace_id
  from c full join t using (workspace_id)
 where c.n is distinct from t.n
   and not exists (select from waiting as w where w.id is null)  -- queued as a whole
$$;
comment on function crmshift.check_counts(uuid) is 'Every workspace has as many customers as contacts

Do: crmshift validate --repair; the drift of customers says which.';
