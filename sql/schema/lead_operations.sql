-- Writing leads. Functions for applications on the lead-centric side, which lock in the one order that cannot deadlock with
-- legacy's writers: the contact first, then the customer, its leads, their appointments.
--
-- They run with the rights of the caller, row-level security included. To use them a role needs `usage` on schema crmshift
-- and its rights on the tables.

-- A role on the target has no rights on legacy's tables, and gets none. These views let it lock, and only lock, what legacy has
-- of customers it can see: whom it can see is asked with its own rights (security_invoker), legacy is reached with the
-- owner's, and no column can be written.

create view crmshift.visible_customer with (security_invoker = true) as
select c.cst_id from public.customers as c;
comment on view crmshift.visible_customer is 'Ids of the customers that the current role can see.';

create view crmshift.customer_lock with (security_barrier = true) as
select c.id as customer_id, null::boolean as held
  from public.contacts as c
 where exists (select from crmshift.visible_customer as v where v.cst_id = c.id);
comment on view crmshift.customer_lock is 'The contacts of customers the current role can see, for SELECT … FOR UPDATE alone; see crmshift.lock_customer.';
comment on column crmshift.customer_lock.held is 'Always null. The right to update it is the right to lock the row; it cannot be written.';
grant select, update (held) on crmshift.customer_lock to public;

create view crmshift.customer_field_lock with (security_barrier = true) as
select f.contact_id as customer_id, f.field_id, null::boolean as held
  from public.contact_custom_fields as f
 where exists (select from crmshift.visible_customer as v where v.cst_id = f.contact_id);
comment on view crmshift.customer_field_lock is 'The fields legacy has of customers the current role can see, for SELECT … FOR UPDATE alone; see crmshift.lock_customer.';
comment on column crmshift.customer_field_lock.held is 'As in crmshift.customer_lock.';
grant select, update (held) on crmshift.customer_field_lock to public;

create view crmshift.appointment_lock with (security_barrier = true) as
select a.contact_id as customer_id, a.id, null::boolean as held
  from public.appointments as a
 where exists (select from crmshift.visible_customer as v where v.cst_id = a.contact_id);
comment on view crmshift.appointment_lock is 'The appointments legacy has of customers the current role can see, for SELECT … FOR UPDATE alone; see crmshift.lock_customer.';
comment on column crmshift.appointment_lock.held is 'As in crmshift.customer_lock.';
grant select, update (held) on crmshift.appointment_lock to public;

create function crmshift.lock_customer(customer uuid) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
-- Hold everything about one customer, on both sides, until the transaction ends. While the contact's row is waited for, nothing
-- of the customer is held; FOR UPDATE, so that whoever has inserted a field or an appointment of the contact is waited for, too.
-- The other rows are waited for only shortly: their holder may want the contact next, so it is let go (that is what the
-- inner block does), and all is tried again.
declare
    given text := current_setting('lock_timeout');
    patience interval := given;  -- 0: forever
    began timestamptz := clock_timestamp();
    -- What the transaction held before this call is not let go: then, after a while, waiting is left to the deadlock detector.
    holds_nothing boolean := pg_current_xact_id_if_assigned() is null;
begin
    loop
        begin
            perform from crmshift.customer_lock as k where k.customer_id = $1 for update;
            if holds_nothing or clock_timestamp() < began + interval '1 s' then
                perform set_config('lock_timeout', '50ms', true);
            end if;
            perform from crmshift.customer_field_lock as k where k.customer_id = $1 order by k.field_id for update;
            perform from crmshift.appointment_lock as k where k.customer_id = $1 order by k.id for update;
            perform from public.customers as c where c.cst_id = $1 for update;
            if not found then
                raise exception 'There is no customer %.', $1
                    using errcode = 'SH001', hint = 'select cst_id from customers lists those this role can see.';
            end if;
            perform from public.customer_custom_fields as f where f.customer_id = $1 order by f.field_id for update;
            perform from public.leads as l where l.customer_id = $1 order by l.id for update;
            perform from public.leads as l join public.lead_appointments as a on a.workspace_id = l.workspace_id and a.lead_id = l.id
              where l.customer_id = $1 order by a.id for update of a;
            perform set_config('lock_timeout', given, true);
            return;
        exception when lock_not_available then
            if patience > '0' and clock_timestamp() > began + patience then
                raise;
            end if;
        end;
    end loop;
end
$$;
comment on function crmshift.lock_customer(uuid) is 'Hold everything about a customer until the transaction ends. Call it first in a transaction that writes leads directly; for several customers, in the order of their ids.';

create function crmshift.lock_lead(lead uuid) returns uuid
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
-- Hold everything about the customer of a lead; returns the customer.
declare
    customer uuid;
    locked uuid;
begin
    loop
        select l.customer_id into customer from public.leads as l where l.id = lead;
        if customer is null then
            raise exception 'There is no lead %.', lead
                using errcode = 'SH001', hint = 'select id from leads lists those this role can see.';
        elsif customer = locked then
            return customer;
        end if;
        perform crmshift.lock_customer(customer);
        locked := customer;  -- and look again: the lead may have passed to another customer, or gone
    end loop;
end
$$;
comment on function crmshift.lock_lead(uuid) is 'Hold everything about the customer of a lead until the transaction ends; returns the customer.';

create function crmshift.refuse_unknown(facts jsonb, known text[], of_what text) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    strangers text;
begin
    if jsonb_typeof(facts) is distinct from 'object' then
        raise exception 'The facts of a % are an object: {"column": value}.', of_what
            using errcode = 'SH004', hint = format('Columns: %s.', array_to_string(known, ', '));
    end if;
    select string_agg(k, ', ' order by k) into strangers from jsonb_object_keys(facts) as k where k <> all (known);
    if strangers is not null then
        raise exception 'A % has no column % to set.', of_what, strangers
            using errcode = 'SH004', hint = format('Columns: %s.', array_to_string(known, ', '));
    end if;
end
$$;
comment on function crmshift.refuse_unknown(jsonb, text[], text) is 'Raises SH004 where facts are no object, or name a column that is not known.';

create function crmshift.create_customer(workspace uuid, facts jsonb default '{}') returns uuid
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
    n public.customers;
begin
    perform crmshift.refuse_unknown(facts, '{cst_id,firstname,lastname,email,phone1,address1,address2,city,state,zip,dateadded,lastchanged}', 'customer');
    n.cst_id := gen_random_uuid();
    n.dateadded := clock_timestamp();
    n.lastchanged := n.dateadded;
    n := jsonb_populate_record(n, facts);
    insert into public.customers (cst_id, workspace_id, firstname, lastname, email, phone1, address1, address2, city, state, zip, dateadded, lastchanged)
    values (n.cst_id, workspace, n.firstname, n.lastname, n.email, n.phone1, n.address1, n.address2, n.city, n.state, n.zip, n.dateadded, n.lastchanged);
    return n.cst_id;
end
$$;
comment on function crmshift.create_customer(uuid, jsonb) is 'Make a customer; returns its id. The facts may bring an id (cst_id), so that a request that is repeated makes one customer only.';

create function crmshift.change_customer(customer uuid, changes jsonb) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
    perform crmshift.refuse_unknown(changes, '{firstname,lastname,email,phone1,address1,address2,city,state,zip,lastchanged}', 'customer');
    perform crmshift.lock_customer(customer);
    update public.customers as c
       set (firstname, lastname, email, phone1, address1, address2, city, state, zip, lastchanged)
         = (select n.firstname, n.lastname, n.email, n.phone1, n.address1, n.address2, n.city, n.state, n.zip, n.lastchanged
              from jsonb_populate_record(c, jsonb_build_object('lastchanged', clock_timestamp()) || changes) as n)
     where c.cst_id = customer and changes <> '{}';
end
$$;
comment on function crmshift.change_customer(uuid, jsonb) is 'Change columns of a customer: select crmshift.change_customer(''…'', ''{"city": "Bonn"}''). lastchanged is now, unless given.';

create function crmshift.create_lead(customer uuid, facts jsonb default '{}', make_primary boolean default false) returns uuid
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
    n public.leads;
begin
    perform crmshift.refuse_unknown(facts, '{id,productid,source,sourcesubdescr,disposition,stg_id,appointment_status,entrydate,apptdate,lastchangedon,lastchangedby}', 'lead');
    perform crmshift.lock_customer(customer);
    n.id := gen_random_uuid();
    n.entrydate := clock_timestamp();
    n.lastchangedon := n.entrydate;
    n := jsonb_populate_record(n, facts);
    if make_primary then
        update public.leads as l set is_primary = false where l.customer_id = customer and l.is_primary;
    end if;
    insert into public.leads (id, customer_id, workspace_id, productid, source, sourcesubdescr, disposition, stg_id, appointment_status,
                              is_primary, entrydate, apptdate, lastchangedon, lastchangedby)
    select n.id, c.cst_id, c.workspace_id, n.productid, n.source, n.sourcesubdescr, n.disposition, n.stg_id, n.appointment_status,
           not exists (select from public.leads as p where p.customer_id = c.cst_id and p.is_primary),
           n.entrydate, n.apptdate, n.lastchangedon, n.lastchangedby
      from public.customers as c where c.cst_id = customer;
    return n.id;
end
$$;
comment on function crmshift.create_lead(uuid, jsonb, boolean) is 'Make a lead of a customer; returns its id. The first one is primary, another one where make_primary is true.';

create function crmshift.change_lead(lead uuid, changes jsonb) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
    perform crmshift.refuse_unknown(changes, '{productid,source,sourcesubdescr,disposition,stg_id,appointment_status,entrydate,apptdate,lastchangedon,lastchangedby}', 'lead');
    perform crmshift.lock_lead(lead);
    update public.leads as l
       set (productid, source, sourcesubdescr, disposition, stg_id, appointment_status, entrydate, apptdate, lastchangedon, lastchangedby)
         = (select n.productid, n.source, n.sourcesubdescr, n.disposition, n.stg_id, n.appointment_status, n.entrydate, n.apptdate,
                   n.lastchangedon, n.lastchangedby
              from jsonb_populate_record(l, jsonb_build_object('lastchangedon', clock_timestamp()) || changes) as n)
     where l.id = lead and changes <> '{}';
end
$$;
comment on function crmshift.change_lead(uuid, jsonb) is 'Change columns of a lead: select crmshift.change_lead(''…'', ''{"disposition": "won", "stg_id": 4}''). lastchangedon is now, unless given.';

create function crmshift.set_primary_lead(lead uuid) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
    customer uuid := crmshift.lock_lead(lead);
begin
    update public.leads as l set is_primary = false where l.customer_id = customer and l.is_primary and l.id <> lead;
    update public.leads as l set is_primary = true where l.id = lead and not l.is_primary;
end
$$;
comment on function crmshift.set_primary_lead(uuid) is 'Make this lead the primary one of its customer: the one legacy sees. The contact and its appointments follow.';

create function crmshift.delete_lead(lead uuid) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
    perform crmshift.lock_lead(lead);
    delete from public.appointment_custom_fields as f using public.leads as l, public.lead_appointments as a
     where l.id = lead and a.workspace_id = l.workspace_id and a.lead_id = l.id and f.appointment_id = a.id;
    delete from public.lead_custom_fields as f where f.lead_id = $1;
    delete from public.leads as l where l.id = lead;
end
$$;
comment on function crmshift.delete_lead(uuid) is 'Delete a lead with its custom fields and appointments. Where it was the primary one, another takes its place when the transaction commits.';

create function crmshift.set_appointment(lead uuid, facts jsonb, appointment bigint default null) returns bigint
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
    n public.lead_appointments;
begin
    perform crmshift.refuse_unknown(facts, '{scheduled_at,apptdate,status,reminder_sent}', 'appointment');
    perform crmshift.lock_lead(lead);
    if appointment is null then
        n.scheduled_at := clock_timestamp();
        n := jsonb_populate_record(n, facts);
        insert into public.lead_appointments (lead_id, workspace_id, scheduled_at, apptdate, status, reminder_sent)
        select l.id, l.workspace_id, n.scheduled_at, n.apptdate, n.status, n.reminder_sent from public.leads as l where l.id = lead
        returning id into n.id;
        return n.id;
    end if;
    update public.lead_appointments as a
       set (scheduled_at, apptdate, status, reminder_sent)
         = (select x.scheduled_at, x.apptdate, x.status, x.reminder_sent from jsonb_populate_record(a, facts) as x)
     where a.id = appointment and a.lead_id = lead;
    if not found then
        raise exception 'The lead % has no appointment %.', lead, appointment
            using errcode = 'SH001', hint = 'select id, lead_id from lead_appointments lists those this role can see.';
    end if;
    return appointment;
end
$$;
comment on function crmshift.set_appointment(uuid, jsonb, bigint) is 'Make an appointment of a lead, or change the one given; returns its id: select crmshift.set_appointment(''…'', ''{"apptdate": "2026-03-01 09:00+01"}'').';

create function crmshift.set_customer_field(customer uuid, field uuid, value text) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
    perform crmshift.lock_customer(customer);
    insert into public.customer_custom_fields as f (customer_id, field_id, workspace_id, value)
    select c.cst_id, $2, c.workspace_id, $3 from public.customers as c where c.cst_id = $1
    on conflict (customer_id, field_id) do update set value = excluded.value where f.value is distinct from excluded.value;
end
$$;
comment on function crmshift.set_customer_field(uuid, uuid, text) is 'Set the value of a custom field of a customer, shared by all its leads; legacy sees it.';

create function crmshift.set_lead_field(lead uuid, field uuid, value text) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
    perform crmshift.lock_lead(lead);
    insert into public.lead_custom_fields as f (lead_id, field_id, workspace_id, value)
    select l.id, $2, l.workspace_id, $3 from public.leads as l where l.id = $1
    on conflict (lead_id, field_id) do update set value = excluded.value where f.value is distinct from excluded.value;
end
$$;
comment on function crmshift.set_lead_field(uuid, uuid, text) is 'Set the value of a custom field of one lead; legacy has no place for it.';

create function crmshift.set_appointment_field(appointment bigint, field uuid, value text) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
    lead uuid := (select a.lead_id from public.lead_appointments as a where a.id = $1);
begin
    if lead is null then
        raise exception 'There is no appointment %.', $1
            using errcode = 'SH001', hint = 'select id from lead_appointments lists those this role can see.';
    end if;
    perform crmshift.lock_lead(lead);
    insert into public.appointment_custom_fields as f (appointment_id, field_id, workspace_id, value)
    select a.id, $2, a.workspace_id, $3 from public.lead_appointments as a where a.id = $1
    on conflict (appointment_id, field_id) do update set value = excluded.value where f.value is distinct from excluded.value;
end
$$;
comment on function crmshift.set_appointment_field(bigint, uuid, text) is 'Set the value of a custom field of one appointment; legacy has no place for it.';
