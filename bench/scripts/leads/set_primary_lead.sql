\set n random(1, :contacts)
select crmshift.set_primary_lead(l.id) from (select id from public.leads where customer_id = md5(:n::text)::uuid order by is_primary, id limit 1) as l;
