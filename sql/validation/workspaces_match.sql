-- Whatever belongs to a row of the target belongs to its workspace, too. Foreign keys see to it, as long as they are there and fire.
create function crmshift.check_workspaces_match(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text, workspace uuid)
language sql stable parallel safe
as $$
select 'leads', jsonb_build_object('id', t.id), 'its customer is of another workspace', t.workspace_id
  from public.leads as t join public.customers as o on o.cst_id = t.customer_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'customer_custom_fields', jsonb_build_object('customer_id', t.customer_id, 'field_id', t.field_id), 'its customer is of another workspace', t.workspace_id
  from public.customer_custom_fields as t join public.customers as o on o.cst_id = t.customer_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'lead_appointments', jsonb_build_object('id', t.id), 'its lead is of another workspace', t.workspace_id
  from public.lead_appointments as t join public.leads as o on o.id = t.lead_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'lead_custom_fields', jsonb_build_object('lead_id', t.lead_id, 'field_id', t.field_id), 'its lead is of another workspace', t.workspace_id
  from public.lead_custom_fields as t join public.leads as o on o.id = t.lead_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'appointment_custom_fields', jsonb_build_object('appointment_id', t.appointment_id, 'field_id', t.field_id), 'its appointment is of another workspace', t.workspace_id
  from public.appointment_custom_fields as t join public.lead_appointments as o on o.id = t.appointment_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
$$;
comment on function crmshift.check_workspaces_match(uuid) is 'Every row is of the workspace of what it belongs to

Do: Find out which of the two workspaces is right, and write it where it is wrong; tenants see each other''s rows until then.';
