-- What appointments should hold: those of primary leads; and of a customer that waits for the election of one, those that
-- are there already.

create view crmshift.appointments_expected as
select a.id,
       l.customer_id as contact_id,
       a.scheduled_at,
       a.apptdate,
       a.status,
       a.reminder_sent
  from public.lead_appointments as a
  join public.leads as l on l.id = a.lead_id
 where l.is_primary
    or exists (select from public.appointments as o where o.id = a.id and o.contact_id = l.customer_id)
   and not exists (select from public.leads as p where p.customer_id = l.customer_id and p.is_primary);
comment on view crmshift.appointments_expected is 'What public.appointments should hold, read from public.lead_appointments.';

insert into crmshift.mapping (name, entity, direction, target, key, key_types, position) values
    ('appointments', 'appointment', 'to_legacy', 'public.appointments', '{id}', '{bigint}', 3);
insert into crmshift.feed (mapping, source, key, mode, prepare) values
    ('appointments', 'public.lead_appointments', '{id}', 'sync', 'crmshift.hold_customers');
