-- Legacy deletes an appointment whose customer waits for the election of a primary lead: it goes on the target too.
begin;
update leads set is_primary = false where customer_id = '00000000-0000-0000-0000-0000000000c1';
update leads as l set customer_id = c.cst_id, workspace_id = c.workspace_id, is_primary = false
  from customers as c where c.cst_id = '00000000-0000-0000-0000-0000000000c1' and l.customer_id = '00000000-0000-0000-0000-0000000000c4';
delete from appointments where id in (3);
commit;
-- agreement
-- expect: select not exists (select from lead_appointments where id = 3)
