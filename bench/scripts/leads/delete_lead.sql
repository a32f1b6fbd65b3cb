\set n random(1, :contacts)
select crmshift.delete_lead(l.id) from (select id from public.leads where customer_id = md5(:n::text)::uuid and not is_primary order by id limit 1) as l;
