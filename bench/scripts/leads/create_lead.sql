\set n random(1, :contacts)
select crmshift.create_lead(md5(:n::text)::uuid, '{"productid": "solar", "source": "fair", "disposition": "new"}');
