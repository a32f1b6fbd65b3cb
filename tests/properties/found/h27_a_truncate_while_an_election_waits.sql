-- Legacy empties appointments while a customer has no primary lead: what legacy sees of them goes, and the election brings none back.
-- session A
begin;
update leads set is_primary = false where customer_id = '00000000-0000-0000-0000-0000000000c1';
truncate appointments;
commit;
-- agreement
-- expect: select not exists (select from appointments) and not exists (select from lead_appointments)
