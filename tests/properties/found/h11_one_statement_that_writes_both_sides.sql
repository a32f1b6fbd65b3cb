-- One statement writes both sides of one row. The side whose triggers come first wins; what the other one wrote is told.
with x as (update contacts set city = 'V1' where id = '00000000-0000-0000-0000-0000000000c1') update customers set zip = 'V2' where cst_id = '00000000-0000-0000-0000-0000000000c1';
-- agreement
-- expect: select count(*) = 1 from crmshift.conflict_log where losing::text like '%, "V1"]%' or losing::text like '%, "V2"]%'
with x as (update customers set state = 'V3' where cst_id = '00000000-0000-0000-0000-0000000000c1') update contacts set city = 'V4' where id = '00000000-0000-0000-0000-0000000000c1';
-- agreement
-- expect: select count(*) = 1 from crmshift.conflict_log where losing::text like '%, "V3"]%' or losing::text like '%, "V4"]%'
with x as (update contacts set lead_status = 'V5' where id = '00000000-0000-0000-0000-0000000000c1') update leads set disposition = 'V6' where customer_id = '00000000-0000-0000-0000-0000000000c1';
-- agreement
-- expect: select count(*) = 1 from crmshift.conflict_log where losing::text like '%, "V5"]%' or losing::text like '%, "V6"]%'
with x as (delete from contacts where id = '00000000-0000-0000-0000-0000000000c1') update customers set state = 'V7' where cst_id = '00000000-0000-0000-0000-0000000000c1';
-- agreement
-- expect: select count(*) = 1 from crmshift.conflict_log where kind = 'delete_origin_differs'
-- expect: select count(*) = 4 from crmshift.conflict_log
