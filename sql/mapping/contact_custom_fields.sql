-- What contact_custom_fields should hold: the customer's values.

create view crmshift.contact_custom_fields_expected as
select f.customer_id as contact_id,
       f.field_id,
       f.value,
       f.created_at
  from public.customer_custom_fields as f;
comment on view crmshift.contact_custom_fields_expected is 'What public.contact_custom_fields should hold, read from public.customer_custom_fields.';

insert into crmshift.mapping (name, entity, direction, target, key, key_types, position) values
    ('contact_custom_fields', 'custom field', 'to_legacy', 'public.contact_custom_fields', '{contact_id,field_id}', '{uuid,uuid}', 2);
insert into crmshift.feed (mapping, source, key, mode) values
    ('contact_custom_fields', 'public.customer_custom_fields', '{customer_id,field_id}', 'sync');
