-- A contact gets an appointment while its lead passes to another customer.
-- session A
begin;
update leads as l set customer_id = c.cst_id, workspace_id = c.workspace_id, is_primary = false from customers as c where c.cst_id = '00000000-0000-0000-0000-0000000000c2' and l.customer_id = '00000000-0000-0000-0000-0000000000c1';
-- session B
insert into appointments (contact_id, status) values ('00000000-0000-0000-0000-0000000000c1', 'V1');
-- session A
commit;
-- agreement
