-- A TRUNCATE that came last, while paused, is not undone by children written before.
call crmshift.pause();
delete from appointments where id = 1;
insert into customer_custom_fields (customer_id, field_id, workspace_id, value)
select cst_id, '00000000-0000-0000-0000-0000000000f1', workspace_id, 'V1' from customers where cst_id = '00000000-0000-0000-0000-0000000000c1' on conflict (customer_id, field_id) do update set value = excluded.value;
truncate customers cascade;
select crmshift.resume();
select * from crmshift.drain();
-- expect: select not exists (select from customers) or exists (select from crmshift.conflict_log)
