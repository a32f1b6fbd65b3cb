\set n random(1, :contacts)
\set status random(1, 1000000)
update public.contacts set lead_status = 'status ' || :status::integer, updated_at = clock_timestamp() where id = md5(:n::text)::uuid;
