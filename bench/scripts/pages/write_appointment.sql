-- An appointment is made, and the contact says so.
\set n random(1, :contacts)
begin;
update public.contacts set appointment_status = 'set', updated_at = clock_timestamp() where id = md5(:n::text)::uuid;
insert into public.appointments (contact_id, scheduled_at, apptdate, status) values (md5(:n::text)::uuid, now(), now() + interval '3 days', 'set');
commit;
