-- drain does not wait for a row of the queue that an open transaction has settled.
-- session DBA
alter table customers add constraint frozen check (false) not valid;
update contacts set city = 'V1' where id = '00000000-0000-0000-0000-0000000000c1';
alter table customers drop constraint frozen;
-- session A
begin;
update customers set email = 'V2' where cst_id = '00000000-0000-0000-0000-0000000000c1';
-- session DBA
select * from crmshift.drain();
-- session A
commit;
