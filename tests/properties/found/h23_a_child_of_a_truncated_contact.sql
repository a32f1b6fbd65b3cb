-- A child does not bring back a parent that a TRUNCATE took away and whose delete waits in the queue.
create function raises() returns trigger language plpgsql as $$ begin raise exception 'not today'; end $$;
create trigger raises before delete on customers for each row execute function raises();
truncate contacts cascade;
insert into customer_custom_fields (customer_id, field_id, workspace_id, value)
select cst_id, '00000000-0000-0000-0000-0000000000f1', workspace_id, 'V1' from customers where cst_id = '00000000-0000-0000-0000-0000000000c1';
-- agreement
-- expect: select not exists (select from contacts where id = '00000000-0000-0000-0000-0000000000c1')
drop function raises() cascade;
-- agreement
