-- One statement writes both sides of a row whose earlier write waits in the queue: what does not stand is told.
-- session B
begin;
update customers set address2 = 'V1' where cst_id = '00000000-0000-0000-0000-0000000000c1';
-- session A
update contacts set zip = 'V2' where id = '00000000-0000-0000-0000-0000000000c1';
-- session B
commit;
-- session A
with x as (update contacts set city = 'V3' where id = '00000000-0000-0000-0000-0000000000c1') update customers set state = 'V4' where cst_id = '00000000-0000-0000-0000-0000000000c1';
-- agreement
-- expect: select exists (select from contacts where city = 'V3' and state = 'V4') or exists (select from crmshift.conflict_log where losing -> 'city' ->> 1 = 'V3' or losing -> 'state' ->> 1 = 'V4')
