-- The history in one statement for each table, with keys, foreign keys and indexes in place: no batches, no checkpoint, no way to
-- pause, and every lock held to the end. The yardstick for a backfill.
insert into public.customers (cst_id, workspace_id, firstname, lastname, email, phone1, address1, city, state, zip, dateadded, lastchanged)
select id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip, created_at, updated_at
  from public.contacts;
insert into public.leads (customer_id, workspace_id, is_primary, source, disposition, appointment_status, entrydate, lastchangedon)
select id, workspace_id, true, lead_source, lead_status, appointment_status, created_at, updated_at
  from public.contacts
 where lead_source is not null or lead_status is not null or appointment_status is not null;
