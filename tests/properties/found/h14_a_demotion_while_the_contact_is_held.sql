-- The only primary lead is demoted while its contact is held: the election has to wait, and so do the appointments.
-- session A
begin;
select from contacts where id = '00000000-0000-0000-0000-0000000000c1' for update;
-- session B
update leads set is_primary = false where customer_id = '00000000-0000-0000-0000-0000000000c1';
-- session A
commit;
-- agreement
