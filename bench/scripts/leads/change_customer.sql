\set n random(1, :contacts)
\set x random(1, 1000)
select crmshift.change_customer(md5(:n::text)::uuid, jsonb_build_object('phone1', '+1 555 ' || :x::integer));
