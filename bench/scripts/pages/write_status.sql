\set n random(1, :contacts)
\set stage random(1, 8)
update public.contacts set lead_status = 'Stage ' || :stage::integer, updated_at = clock_timestamp() where id = md5(:n::text)::uuid;
