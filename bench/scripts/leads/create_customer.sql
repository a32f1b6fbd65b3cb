\set n random(1, :contacts)
select crmshift.create_customer(md5('w' || :n::integer % 20 + 1)::uuid, '{"firstname": "Ada", "email": "ada@example.com", "city": "Bonn"}');
