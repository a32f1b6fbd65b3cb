\set n random(1, :rows)
\set status random(1, 1000000)
update public.contacts set lead_status = 'status ' || :status::integer, updated_at = clock_timestamp() where id = lpad(to_hex(:n::integer), 32, '0')::uuid;
