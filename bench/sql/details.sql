-- Two custom fields of each contact, and an appointment of every second one.
insert into public.custom_fields (id, workspace_id, name)
select md5('w' || w || ' f' || f)::uuid, md5('w' || w)::uuid, 'Field ' || f
  from generate_series(1, 20) as w, generate_series(1, 4) as f;

insert into public.contact_custom_fields (contact_id, field_id, value, created_at)
select md5(n::text)::uuid, md5('w' || n % 20 + 1 || ' f' || f)::uuid, 'value ' || n % 1000, timestamptz '2026-02-01'
  from generate_series(1, current_setting('bench.contacts')::integer) as n, generate_series(1, 2) as f;

insert into public.appointments (contact_id, scheduled_at, apptdate, status, reminder_sent)
select md5(n::text)::uuid, timestamptz '2026-02-01', timestamptz '2026-07-01' + n % 10000 * interval '5 minutes', 'set', false
  from generate_series(2, current_setting('bench.contacts')::integer, 2) as n;
