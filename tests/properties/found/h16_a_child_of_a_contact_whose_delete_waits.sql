-- A field is written on the target for a customer whose contact legacy has deleted, and neither has been settled yet.
-- session DBA
select crmshift.set_mode(null, 'queued');
-- session A
delete from contacts where id in ('00000000-0000-0000-0000-0000000000c2');
insert into customer_custom_fields (customer_id, field_id, workspace_id, value)
select cst_id, '00000000-0000-0000-0000-0000000000f1', workspace_id, 'V1' from customers where cst_id in ('00000000-0000-0000-0000-0000000000c2')
 on conflict (customer_id, field_id) do update set value = excluded.value;
-- session DBA
select crmshift.set_mode(null, 'immediate');
select * from crmshift.drain();
select * from crmshift.drain();
-- agreement
-- expect: select not exists (select from contacts where id = '00000000-0000-0000-0000-0000000000c2')
