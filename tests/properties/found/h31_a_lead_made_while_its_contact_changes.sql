-- An appointment makes the lead of a contact that another transaction is changing, which has no need of a lead itself.
-- session A
begin;
update contacts set created_at = now(), updated_at = null where id = '00000000-0000-0000-0000-0000000000c2';
-- session B
update appointments set contact_id = '00000000-0000-0000-0000-0000000000c2' where contact_id = '00000000-0000-0000-0000-0000000000c1';
-- session A
commit;
-- agreement
