\set n random(1, :contacts)
\set x random(1, 1000)
update public.leads set disposition = 'Stage ' || :x::integer, lastchangedon = clock_timestamp() where customer_id = md5(:n::text)::uuid and is_primary;
