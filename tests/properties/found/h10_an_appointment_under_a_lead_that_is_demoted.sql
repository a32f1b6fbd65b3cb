-- A lead gets an appointment while it is demoted.
-- session A
begin;
insert into lead_appointments (lead_id, workspace_id, status) select id, workspace_id, 'V1' from leads where customer_id = '00000000-0000-0000-0000-0000000000c1';
update contacts set workspace_id = workspace_id where id = '00000000-0000-0000-0000-0000000000c1';
-- session B
update leads set is_primary = false where customer_id = '00000000-0000-0000-0000-0000000000c1';
-- session A
commit;
-- agreement
