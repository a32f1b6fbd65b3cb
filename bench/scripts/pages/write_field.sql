\set n random(1, :contacts)
\set f random(1, 4)
\set v random(1, 1000)
insert into public.contact_custom_fields (contact_id, field_id, value)
values (md5(:n::text)::uuid, md5('w' || :n::integer % 20 + 1 || ' f' || :f::integer)::uuid, 'value ' || :v::integer)
on conflict (contact_id, field_id) do update set value = excluded.value;
