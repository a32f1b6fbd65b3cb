\set n random(1, :contacts)
\set x random(1, 1000)
select crmshift.set_customer_field(md5(:n::text)::uuid, md5('w' || :n::integer % 20 + 1 || ' f1')::uuid, 'value ' || :x::integer);
