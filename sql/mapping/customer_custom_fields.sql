-- What customer_custom_fields should hold: the contact's values. Values of one lead have their own table and no place in legacy.

create view crmshift.customer_custom_fields_expected as
select f.contact_id as customer_id,
       f.field_id,
       -- The customer's own, for it may be that legacy refuses to follow its move to another workspace.
       coalesce(t.workspace_id, c.workspace_id) as workspace_id,
       f.value,
       f.created_at
  from public.contact_custom_fields as f
  join public.contacts as c on c.id = f.contact_id
  left join public.customers as t on t.cst_id = c.id;
comment on view crmshift.customer_custom_fields_expected is 'What public.customer_custom_fields should hold, read from public.contact_custom_fields.';

insert into crmshift.mapping (name, entity, direction, target, key, key_types, position) values
    ('customer_custom_fields', 'custom field', 'to_target', 'public.customer_custom_fields', '{customer_id,field_id}', '{uuid,uuid}', 3);
insert into crmshift.feed (mapping, source, key, mode) values
    ('customer_custom_fields', 'public.contact_custom_fields', '{contact_id,field_id}', 'sync');
