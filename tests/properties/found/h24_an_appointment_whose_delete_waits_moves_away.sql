-- Legacy deletes an appointment, which has to wait; meanwhile its lead becomes another customer's second one. It stays, and that is told.
-- session A
begin isolation level repeatable read;
insert into appointments (contact_id, status) values ('00000000-0000-0000-0000-0000000000c2', 'V1');
-- session B
update contacts set id = '00000000-0000-0000-0000-0000000000c1' where id = '00000000-0000-0000-0000-0000000000c1';
-- session A
delete from appointments where id in (1);
update leads as l set customer_id = c.cst_id, workspace_id = c.workspace_id, is_primary = false
  from customers as c where c.cst_id = '00000000-0000-0000-0000-0000000000c2' and l.customer_id = '00000000-0000-0000-0000-0000000000c1';
commit;
-- agreement
-- expect: select not exists (select from lead_appointments where id = 1) or exists (select from crmshift.conflict_log where subject = 'appointments' and kind = 'delete_origin_differs' and winner = 'target')
