-- The definition of a custom field is of the workspace that its values are of. No key of legacy demands that, so what is wrong there is brought
-- over as it is, and is no reason to stop.
create function crmshift.check_field_definitions(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text, workspace uuid)
language sql stable
as $$
select 'customer_custom_fields', jsonb_build_object('customer_id', t.customer_id, 'field_id', t.field_id), 'its field definition is of another workspace', t.workspace_id
  from public.customer_custom_fields as t join public.custom_fields as o on o.id = t.field_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'lead_custom_fields', jsonb_build_object('lead_id', t.lead_id, 'field_id', t.field_id), 'its field definition is of another workspace', t.workspace_id
  from public.lead_custom_fields as t join public.custom_fields as o on o.id = t.field_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'appointment_custom_fields', jsonb_build_object('appointment_id', t.appointment_id, 'field_id', t.field_id), 'its field definition is of another workspace', t.workspace_id
  from public.appointment_custom_fields as t join public.custom_fields as o on o.id = t.field_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
$$;
comment on function crmshift.check_field_definitions(uuid) is 'Every value of a custom field is of the workspace of its definition

Severity: warning
Do: Mend it in legacy: give the value a definition of its own workspace, or take it away.';
