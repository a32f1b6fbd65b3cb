\set n random(1, :contacts)
\set house random(1, 1000000)
update public.contacts set st_address = :house::integer || ' Mill Lane', updated_at = clock_timestamp() where id = md5(:n::text)::uuid;
