-- What legacy cannot hold, row by row and value by value: what a rollback would lose and a delete in legacy archives.

create view crmshift.beyond_legacy as
with l as not materialized (select * from public.leads)  -- so that one customer's can be looked up
select l.customer_id, l.workspace_id, 'public.leads'::text as table_name, jsonb_build_object('id', l.id) as key, null::text as column_name,
       'lead that is not the primary one' as what
  from l where not l.is_primary
union all
select l.customer_id, a.workspace_id, 'public.lead_appointments', jsonb_build_object('id', a.id), null,
       'appointment of a lead that is not the primary one'
  from public.lead_appointments as a join l on l.id = a.lead_id where not l.is_primary
union all
select l.customer_id, f.workspace_id, 'public.lead_custom_fields', jsonb_build_object('lead_id', f.lead_id, 'field_id', f.field_id), null,
       'custom field of a lead'
  from public.lead_custom_fields as f join l on l.id = f.lead_id
union all
select l.customer_id, f.workspace_id, 'public.appointment_custom_fields',
       jsonb_build_object('appointment_id', f.appointment_id, 'field_id', f.field_id), null,
       'custom field of an appointment'
  from public.appointment_custom_fields as f join public.lead_appointments as a on a.id = f.appointment_id join l on l.id = a.lead_id
union all
select c.cst_id, c.workspace_id, 'public.customers', jsonb_build_object('cst_id', c.cst_id), 'address2', 'second line of the address'
  from public.customers as c where c.address2 is not null
union all
select l.customer_id, l.workspace_id, 'public.leads', jsonb_build_object('id', l.id), v.column_name, v.what
  from l join public.customers as c on c.cst_id = l.customer_id
  cross join lateral (values
       ('productid', l.productid is not null, 'product of the primary lead'),
       ('sourcesubdescr', l.sourcesubdescr is not null, 'sub-source of the primary lead'),
       ('stg_id', l.stg_id is not null, 'stage of the primary lead'),
       ('apptdate', l.apptdate is not null, 'appointment date on the primary lead'),
       ('lastchangedby', l.lastchangedby is not null, 'who last changed the primary lead'),
       ('entrydate', l.entrydate is distinct from c.dateadded, 'entry date of the primary lead, other than the customer''s')
       ) as v (column_name, beyond, what)
 where l.is_primary and v.beyond;
-- Not counted: which of customer and primary lead changed last. Legacy keeps the later of the two clocks.
comment on view crmshift.beyond_legacy is 'Everything on the target that legacy has no place for, one row each: whole rows (column_name null) and single values.';

create function crmshift.archive_lead(customer_ids uuid[]) returns void
language plpgsql
as $$
-- Before the primary lead of a deleted contact goes: keep what legacy never had. What stands in the way of the delete is
-- moved to the archive; of the primary lead itself, whose own facts legacy had, a copy goes there where it held more.
declare
    all_leads uuid[] := array(select id from public.leads where customer_id = any (customer_ids));
    second_leads uuid[] := array(select id from public.leads where customer_id = any (customer_ids) and not is_primary);
    all_appointments bigint[] := array(select a.id from public.leads as l join public.lead_appointments as a
                                           on a.workspace_id = l.workspace_id and a.lead_id = l.id where l.customer_id = any (customer_ids));
begin
    insert into crmshift.archive (table_name, key, row_data, reason)
    select 'public.leads', jsonb_build_object('id', l.id), to_jsonb(l), 'contact deleted in legacy'
      from public.leads as l
     where l.is_primary and l.customer_id = any (customer_ids)
       and exists (select from crmshift.beyond_legacy as b
                    where b.customer_id = any (customer_ids) and b.customer_id = l.customer_id and b.table_name = 'public.leads' and b.column_name is not null);
    perform crmshift.archive_appointment_fields(all_appointments);
    with gone as (delete from public.lead_appointments where id = any (all_appointments) and lead_id = any (second_leads) returning *)
    insert into crmshift.archive (table_name, key, row_data, reason)
    select 'public.lead_appointments', jsonb_build_object('id', id), to_jsonb(gone), 'contact deleted in legacy' from gone;
    with gone as (delete from public.lead_custom_fields where lead_id = any (all_leads) returning *)
    insert into crmshift.archive (table_name, key, row_data, reason)
    select 'public.lead_custom_fields', jsonb_build_object('lead_id', lead_id, 'field_id', field_id), to_jsonb(gone), 'contact deleted in legacy' from gone;
    with gone as (delete from public.leads where id = any (second_leads) returning *)
    insert into crmshift.archive (table_name, key, row_data, reason)
    select 'public.leads', jsonb_build_object('id', id), to_jsonb(gone), 'contact deleted in legacy' from gone;
end
$$;
comment on function crmshift.archive_lead(uuid[]) is 'Keep in crmshift.archive what hangs on the leads of these customers and legacy cannot hold.';

create function crmshift.archive_customers(customer_ids uuid[]) returns void
language plpgsql
as $$
begin
    perform crmshift.archive_lead(customer_ids);  -- leads without a primary one among them are still there
    insert into crmshift.archive (table_name, key, row_data, reason)
    select 'public.customers', jsonb_build_object('cst_id', c.cst_id), to_jsonb(c), 'contact deleted in legacy'
      from public.customers as c
     where c.cst_id = any (customer_ids) and c.address2 is not null;
end
$$;
comment on function crmshift.archive_customers(uuid[]) is 'Keep in crmshift.archive what these customers and their leads hold and legacy cannot.';

create function crmshift.archive_appointment_fields(appointment_ids bigint[]) returns void
language sql
as $$
with gone as (delete from public.appointment_custom_fields where appointment_id = any (appointment_ids) returning *)
insert into crmshift.archive (table_name, key, row_data, reason)
select 'public.appointment_custom_fields', jsonb_build_object('appointment_id', appointment_id, 'field_id', field_id), to_jsonb(gone), 'appointment deleted in legacy' from gone
$$;
comment on function crmshift.archive_appointment_fields(bigint[]) is 'Move the custom fields of these appointments to crmshift.archive.';
