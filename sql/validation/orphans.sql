-- Nothing on the target points at a workspace or a field definition that is gone. (Within the target, foreign keys see to it.)
create function crmshift.check_orphans(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select 'customers', jsonb_build_object('cst_id', t.cst_id), 'its workspace is gone'
  from public.customers as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.workspaces as w where w.id = t.workspace_id)
union all
select 'customer_custom_fields', jsonb_build_object('customer_id', t.customer_id, 'field_id', t.field_id), 'its field definition is gone'
  from public.customer_custom_fields as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.custom_fields as f where f.id = t.field_id)
union all
select 'lead_custom_fields', jsonb_build_object('lead_id', t.lead_id, 'field_id', t.field_id), 'its field definition is gone'
  from public.lead_custom_fields as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.custom_fields as f where f.id = t.field_id)
union all
select 'appointment_custom_fields', jsonb_build_object('appointment_id', t.appointment_id, 'field_id', t.field_id), 'its field definition is gone'
  from public.appointment_custom_fields as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.custom_fields as f where f.id = t.field_id)
$$;
comment on function crmshift.check_orphans(uuid) is 'Nothing points at a workspace or field definition that is gone';
