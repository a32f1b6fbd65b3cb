-- An application's trigger writes both leads of a customer while a sync writes the primary one: that one's is overwritten, and told.
-- session DBA
create function customers_meddles() returns trigger language plpgsql as $$ begin update leads set appointment_status = 'meddled' where customer_id = new.cst_id; return null; end $$;
create trigger meddles after update of city on customers for each row execute function customers_meddles();
-- session A
insert into leads (customer_id, workspace_id, disposition) select cst_id, workspace_id, 'V1' from customers where cst_id = '00000000-0000-0000-0000-0000000000c1';
update contacts set city = 'V2' where id = '00000000-0000-0000-0000-0000000000c1';
-- session DBA
drop function customers_meddles() cascade;
create function customers_meddles() returns trigger language plpgsql as $$ begin update leads set appointment_status = 'beside' where customer_id = new.cst_id and not is_primary; return null; end $$;
create trigger meddles after update of city on customers for each row execute function customers_meddles();
-- session A
update contacts set city = 'V3' where id = '00000000-0000-0000-0000-0000000000c1';
-- session DBA
drop function customers_meddles() cascade;
-- agreement
-- expect: select count(*) = 1 from crmshift.conflict_log where losing::text like '%, "meddled"]%'
-- expect: select count(*) = 1 from crmshift.conflict_log
