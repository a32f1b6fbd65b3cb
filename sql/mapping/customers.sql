-- What customers should hold: one row for each contact, under the same id.

create view crmshift.customers_expected as
select c.id           as cst_id,
       c.workspace_id,
       c.firstname::text as firstname,
       c.lastname::text  as lastname,
       c.email::text     as email,
       c.phone_number::text as phone1,
       c.st_address      as address1,
       c.city::text      as city,
       c.state::text     as state,
       c.zip::text       as zip,
       c.created_at      as dateadded,
       c.updated_at      as lastchanged
  from public.contacts as c;
comment on view crmshift.customers_expected is 'What public.customers should hold, read from public.contacts.';

insert into crmshift.mapping (name, entity, direction, target, key, key_types, before_remove, position) values
    ('customers', 'customer', 'to_target', 'public.customers', '{cst_id}', '{uuid}', 'crmshift.archive_customers', 1);
insert into crmshift.feed (mapping, source, key, mode) values
    ('customers', 'public.contacts', '{id}', 'sync'),
    ('customers', 'public.contact_custom_fields', '{contact_id}', 'fill'),
    ('customers', 'public.appointments', '{contact_id}', 'fill');
-- Legacy has one clock for the person and the lead. A customer that is written takes it over; by itself the clock is no reason
-- to write one: an earlier one agrees, as long as there is a lead to keep the time (see leads).
insert into crmshift.comparison (mapping, column_name, agrees) values
    ('customers', 'lastchanged',
     't.lastchanged is not distinct from e.lastchanged
      or coalesce(t.lastchanged, ''-infinity'') <= e.lastchanged
         and exists (select from public.leads as l where l.customer_id = e.cst_id and l.is_primary)');
