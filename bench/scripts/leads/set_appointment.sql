\set n random(1, :contacts)
select crmshift.set_appointment(l.id, '{"apptdate": "2026-12-01 09:00+01", "status": "set"}') from public.leads as l where l.customer_id = md5(:n::text)::uuid and l.is_primary;
