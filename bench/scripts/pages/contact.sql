-- One contact with its fields and appointments.
\set n random(1, :contacts)
begin;
select * from public.contacts where id = md5(:n::text)::uuid;
select d.name, d.field_type, f.value
  from public.contact_custom_fields as f join public.custom_fields as d on d.id = f.field_id
 where f.contact_id = md5(:n::text)::uuid order by d.name;
select * from public.appointments where contact_id = md5(:n::text)::uuid order by apptdate;
commit;
