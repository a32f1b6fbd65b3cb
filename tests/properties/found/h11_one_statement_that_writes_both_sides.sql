-- One statement writes both sides of one entity, each another column: both are kept, or the loss is told.
with x as (update contacts set city = 'V1' where id = '00000000-0000-0000-0000-0000000000c1') update customers set zip = 'V2' where cst_id = '00000000-0000-0000-0000-0000000000c1';
-- agreement
select * from crmshift.drain();
-- expect: select exists (select from contacts where id = '00000000-0000-0000-0000-0000000000c1' and city = 'V1' and zip = 'V2') or exists (select from crmshift.conflict_log)
