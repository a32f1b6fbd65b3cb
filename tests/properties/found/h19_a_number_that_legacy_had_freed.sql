-- A number of an appointment that legacy had freed, for it is a second lead's now, is used again: nothing is taken over, a person decides.
begin;
update leads as l set customer_id = c.cst_id, workspace_id = c.workspace_id, is_primary = false
  from customers as c where c.cst_id = '00000000-0000-0000-0000-0000000000c3' and l.customer_id = '00000000-0000-0000-0000-0000000000c1';
insert into appointments (id, contact_id, status) select 1, id, 'V1' from contacts where id = '00000000-0000-0000-0000-0000000000c1';
commit;
-- agreement
update appointments set id = 77 where id = 1 and exists (select from crmshift.sync_queue where sqlstate = 'SH013');
-- agreement
-- expect: select array_agg(id) = '{77}' from appointments where status = 'V1'
-- expect: select status <> 'V1' from lead_appointments where id = 1
