-- What an application's trigger wrote on legacy inside a sync, and that has to wait, keeps its columns: they are not taken back unseen.
-- session DBA
create function customers_suppresses() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger suppresses before update on customers for each row execute function customers_suppresses();
create function contacts_meddles() returns trigger language plpgsql as $$ begin update contacts set state = 'meddled' where id = new.id; return null; end $$;
create trigger meddles after update of lead_status on contacts for each row execute function contacts_meddles();
-- session A
update leads set disposition = 'V1' where customer_id = '00000000-0000-0000-0000-0000000000c3' and is_primary;
update leads set disposition = 'V2' where customer_id = '00000000-0000-0000-0000-0000000000c3' and is_primary;
-- session DBA
drop function contacts_meddles() cascade;
drop function customers_suppresses() cascade;
-- agreement
-- expect: select state = 'meddled' from contacts where id = '00000000-0000-0000-0000-0000000000c3' union all select true from crmshift.conflict_log where losing::text like '%meddled%'
