\set n random(1, :rows)
update public.contacts set unmapped = unmapped + 1 where id = lpad(to_hex(:n::integer), 32, '0')::uuid;
