\set n random(1, :contacts)
\set x random(1, 1000)
update public.customers set phone1 = '+1 555 ' || :x::integer, lastchanged = clock_timestamp() where cst_id = md5(:n::text)::uuid;
