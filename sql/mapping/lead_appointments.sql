-- What the appointments of primary leads should hold: the contact's appointments, under the same id.

create view crmshift.lead_appointments_expected as
select a.id,
       l.id as lead_id,
       l.workspace_id,
       a.scheduled_at,
       a.apptdate,
       a.status::text as status,
       a.reminder_sent
  from public.appointments as a
  -- An appointment whose lead could not be made must fail and be queued, too: it is expected, without a lead.
  left join public.leads as l on l.customer_id = a.contact_id and l.is_primary;
comment on view crmshift.lead_appointments_expected is 'What public.lead_appointments should hold for primary leads, read from public.appointments.';

insert into crmshift.mapping (name, entity, direction, target, key, key_types, only_where, before_remove, position) values
    ('lead_appointments', 'appointment', 'to_target', 'public.lead_appointments', '{id}', '{bigint}',
     'exists (select from public.leads as l where l.id = t.lead_id and l.is_primary)', 'crmshift.archive_appointment_fields', 4);
insert into crmshift.feed (mapping, source, key, mode, prepare) values
    ('lead_appointments', 'public.appointments', '{id}', 'sync', 'crmshift.prepare_appointments');
