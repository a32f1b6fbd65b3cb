-- A lead passes to another customer, and legacy refuses to let its appointments follow.
alter table appointments add constraint frozen check (false) not valid;
update leads as l set customer_id = c.cst_id, workspace_id = c.workspace_id, is_primary = false from customers as c where c.cst_id = '00000000-0000-0000-0000-0000000000c2' and l.customer_id = '00000000-0000-0000-0000-0000000000c1';
-- agreement
alter table appointments drop constraint frozen;
