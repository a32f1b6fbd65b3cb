-- One statement writes both sides; the contact waits for the lead's pause, the customer is followed, and the log says what it overwrote.
-- session DBA
call crmshift.pause(entity => 'lead', patience => '0');
-- session A
with x as (update contacts set city = 'V1' where id = '00000000-0000-0000-0000-0000000000c1') update customers set zip = 'V2' where cst_id = '00000000-0000-0000-0000-0000000000c1';
-- session DBA
select crmshift.resume();
-- agreement
-- expect: select exists (select from crmshift.conflict_log where losing -> 'city' -> 1 = '"V1"') or exists (select from contacts where city = 'V1')
