\set n random(1, :contacts)
\set x random(1, 1000)
select crmshift.change_lead(l.id, jsonb_build_object('disposition', 'Stage ' || :x::integer)) from public.leads as l where l.customer_id = md5(:n::text)::uuid and l.is_primary;
