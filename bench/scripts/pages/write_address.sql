\set n random(1, :contacts)
\set house random(1, 900)
update public.contacts set st_address = :house::integer || ' Mill Lane', city = 'Town ' || :house::integer, updated_at = clock_timestamp()
 where id = md5(:n::text)::uuid;
