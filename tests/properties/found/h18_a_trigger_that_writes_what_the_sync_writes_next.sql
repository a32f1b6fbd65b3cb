-- A trigger of the application on customers writes the lead, which the sync overwrites next: that is told.
create function meddles() returns trigger language plpgsql as $$ begin update leads set appointment_status = 'V9' where customer_id = new.cst_id and appointment_status is distinct from 'V9'; return null; end $$;
create trigger meddles after update of city on customers for each row execute function meddles();
update contacts set city = 'V1' where id = '00000000-0000-0000-0000-0000000000c1';
-- agreement
-- expect: select city = 'V1' from customers where cst_id = '00000000-0000-0000-0000-0000000000c1'
-- expect: select array_agg(losing -> 'appointment_status' ->> 1) = '{V9}' from crmshift.conflict_log
