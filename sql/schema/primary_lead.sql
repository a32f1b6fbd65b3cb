-- The primary lead of a customer: the one legacy sees. The unique index of leads sees to at most one; this file to at least
-- one in every committed state, whatever an application does in between.
--
-- An application demotes, deletes, inserts and promotes in any order it likes. Where that may leave a customer without a
-- primary lead, it is noted, and looked at when the transaction commits: only then is one elected, so that nothing crmshift
-- chose stands in the way of what the application is about to choose itself. Until then legacy keeps what it has
-- (see contacts_expected and appointments_expected).

create table crmshift.primary_lead_rule (
    only_row boolean primary key default true constraint there_is_one_rule check (only_row),
    choose   text not null default 'oldest' constraint choice_is_known check (choose in ('oldest', 'newest')),
    closed   text[] not null default '{}' constraint closed_dispositions_are_named check (array_position(closed, null) is null)
);
comment on table crmshift.primary_lead_rule is 'Which lead becomes the primary one where the application chose none. One row: update crmshift.primary_lead_rule set closed = ''{won,lost}''.';
comment on column crmshift.primary_lead_rule.choose is 'oldest or newest, by leads.entrydate, then by id.';
comment on column crmshift.primary_lead_rule.closed is 'Dispositions that close a lead, verbatim. Open leads go before closed ones; a primary lead that is closed on the target makes way for an open one. Empty: never.';

create table crmshift.primary_lead_wanted (
    id           bigint generated always as identity primary key,
    txid         xid8 not null default pg_current_xact_id(),
    customer_ids uuid[] not null,
    demoted      uuid,
    closed       boolean not null default false
);
comment on table crmshift.primary_lead_wanted is 'What a transaction has to look at when it commits. Empty in every committed state: the transaction that writes a row here takes it away.';
comment on column crmshift.primary_lead_wanted.txid is 'Transaction that wrote it.';
comment on column crmshift.primary_lead_wanted.customer_ids is 'Customers that may be left without a primary lead.';
comment on column crmshift.primary_lead_wanted.demoted is 'Lead that the application demoted: elected only where there is no other.';
comment on column crmshift.primary_lead_wanted.closed is 'The primary lead was closed: an open one is to take its place.';

create function crmshift.next_primary_lead(customer_ids uuid[], demoted uuid[])
returns table (customer_id uuid, lead_id uuid)
language sql stable
as $$
select distinct on (l.customer_id) l.customer_id, l.id
  from unnest($1) as k (id)
  join public.leads as l on l.customer_id = k.id
 cross join crmshift.primary_lead_rule as r
 order by l.customer_id, l.id = any ($2), coalesce(l.disposition = any (r.closed), false),
          case r.choose when 'oldest' then l.entrydate end, case r.choose when 'newest' then l.entrydate end desc nulls last, l.id
$$;
comment on function crmshift.next_primary_lead(uuid[], uuid[]) is 'The lead of each of these customers that the rule chooses; those of the second array only where there is no other.';

create function crmshift.without_primary_lead(customer_ids uuid[]) returns uuid[]
language sql stable
as $$
select array_agg(k.id) from unnest($1) as k (id)
 where exists (select from public.leads as l where l.customer_id = k.id)
   and not exists (select from public.leads as p where p.customer_id = k.id and p.is_primary)
$$;
comment on function crmshift.without_primary_lead(uuid[]) is 'Those of these customers that have leads and no primary one; null where there are none.';

create function crmshift.elect_primary_lead(customer_ids uuid[], demoted uuid[] default '{}', closed uuid[] default '{}') returns void
language plpgsql
as $$
-- Give each of these customers that has leads but no primary one the lead that the rule chooses. Of the customers in
-- `closed`, a primary lead that is closed makes way first, where there is an open one. The writes are ordinary ones.
declare
    vacant uuid[];
    finished uuid[];
begin
    for pass in 1 .. 2 loop
        vacant := crmshift.without_primary_lead(customer_ids);
        select array_agg(l.id) into finished
          from public.leads as l cross join crmshift.primary_lead_rule as r
         where l.customer_id = any ($3) and l.is_primary and l.disposition = any (r.closed)
           and exists (select from public.leads as o
                        where o.customer_id = l.customer_id and coalesce(o.disposition <> all (r.closed), true));
        if vacant is null and finished is null then
            return;
        end if;
        if pass = 1 then
            -- The contact's row is the lock of everything about one customer. What was found is looked at anew under it.
            perform from public.contacts as c where c.id = any (customer_ids) order by c.id for no key update of c;
        end if;
    end loop;
    if finished is not null then
        update public.leads as l set is_primary = false where l.id = any (finished);
        vacant := crmshift.without_primary_lead(customer_ids);
    end if;
    update public.leads as l set is_primary = true
     where l.id in (select n.lead_id from crmshift.next_primary_lead(vacant, demoted) as n);
end
$$;
comment on function crmshift.elect_primary_lead(uuid[], uuid[], uuid[]) is 'Elect a primary lead where a customer has leads and no primary one: select crmshift.elect_primary_lead(array[''customer id''::uuid]).';

create function crmshift.elect_or_queue(customer_ids uuid[], demoted uuid[], closed uuid[]) returns void
language plpgsql
as $$
-- Elect; where that fails, halve the customers until the bad ones stand alone, and queue those. A drain elects before it settles.
declare
    half integer := cardinality(customer_ids) / 2;
    state text; why text; violated text; in_table text; in_column text;
begin
    begin
        perform crmshift.elect_primary_lead(customer_ids, demoted, closed);
        return;
    exception when others then
        get stacked diagnostics state = returned_sqlstate, why = message_text, violated = constraint_name,
                                in_table = table_name, in_column = column_name;
        if exists (select from crmshift.sync_control as c where c.entity = 'customer' and c.on_error = 'raise') then
            raise;
        end if;
    end;
    if state in ('55P03', '40P01') then
        perform set_config('lock_timeout', '10ms', true);  -- the full wait was spent above
    end if;
    if half > 0 then
        perform crmshift.elect_or_queue(customer_ids[:half], demoted, closed);
        perform crmshift.elect_or_queue(customer_ids[half + 1:], demoted, closed);
    else
        insert into crmshift.sync_queue (subject, key, side, reason, sqlstate, message, constraint_name, table_name, column_name)
        values ('contacts', jsonb_build_object('id', customer_ids[1]), 'target', 'failed', state, why,
                nullif(violated, ''), nullif(in_table, ''), nullif(in_column, ''));
    end if;
end
$$;
comment on function crmshift.elect_or_queue(uuid[], uuid[], uuid[]) is 'Elect primary leads; customers for whom that fails are queued. Raises only where the entity customer is set to.';

-- Which lead is primary, and whose, decides which appointments legacy sees and where legacy's go. Whoever syncs an appointment
-- relies on it and says so by a lock on the customer that hinders nobody else (hold_customers); whoever has changed it waits for
-- those at COMMIT, and follows what they wrote. So neither overlooks the other.

create function crmshift.hold_customers(appointment_ids bigint[]) returns void
language plpgsql
as $$
begin
    perform from public.customers as c
      where c.cst_id = any (array(
                select a.contact_id from unnest(appointment_ids) as k (id) join public.appointments as a on a.id = k.id
                 union
                select l.customer_id from unnest(appointment_ids) as k (id) join public.lead_appointments as a on a.id = k.id
                  join public.leads as l on l.id = a.lead_id))
      order by c.cst_id for key share of c;
end
$$;
comment on function crmshift.hold_customers(bigint[]) is 'While the transaction is open, none that changes the primary lead of these appointments'' customers commits without following them.';

create function crmshift.prepare_appointments(appointment_ids bigint[]) returns void
language plpgsql
as $$
-- Before appointments of legacy are followed. Where no lead is primary until the election, legacy still sees the appointments of
-- the last one, and may delete them: no mapping speaks of these.
declare
    gone bigint[];
begin
    perform crmshift.hold_customers(appointment_ids);
    select array_agg(a.id) into gone
      from unnest(appointment_ids) as k (id) join public.lead_appointments as a on a.id = k.id join public.leads as l on l.id = a.lead_id
     where not exists (select from public.leads as p where p.customer_id = l.customer_id and p.is_primary)
       and not exists (select from public.appointments as o where o.id = a.id);
    if gone is not null then
        perform crmshift.archive_appointment_fields(gone);
        delete from public.lead_appointments as a where a.id = any (gone);
    end if;
end
$$;
comment on function crmshift.prepare_appointments(bigint[]) is 'hold_customers(), and what legacy deletes while a customer waits for the election of a primary lead.';

create function crmshift.follow_appointments(customer_ids uuid[]) returns void
language plpgsql
as $$
declare
    reached jsonb;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what others have written meanwhile cannot be seen
        perform crmshift.queue_whole('target', null, 'appointments');
        return;
    end if;
    perform from public.customers as c where c.cst_id = any (customer_ids) order by c.cst_id for update of c;
    if exists (select from crmshift.sync_control as c where c.entity = 'appointment' and (c.paused or c.mode = 'queued')) then
        insert into crmshift.sync_queue (subject, key, side, reason)
        select r.subject, r.key, 'target', 'paused' from crmshift.appointments_of_leads(customer_ids) as r;
        return;
    end if;
    select jsonb_agg(r.key) into reached from crmshift.appointments_of_leads(customer_ids) as r;
    if reached is not null then
        perform crmshift.sync_subjects('appointments', reached, 'target');
    end if;
exception when others then
    perform crmshift.queue_whole('target', sqlstate, 'appointments');
end
$$;
comment on function crmshift.follow_appointments(uuid[]) is 'After the primary lead of these customers has changed: bring to legacy what was written for it meanwhile.';

create function crmshift.tg_elect_primary_lead() returns trigger
language plpgsql security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '100ms'
set plan_cache_mode = force_generic_plan
as $trigger$
-- At COMMIT (or at SET CONSTRAINTS): everything this transaction noted, at once.
declare
    customers uuid[];
    demoted uuid[];
    closed uuid[];
begin
    if not exists (select from crmshift.primary_lead_wanted as w where w.id = new.id) then
        return null;  -- done with another one
    end if;
    with taken as (
        delete from crmshift.primary_lead_wanted as w where w.txid = pg_current_xact_id() returning w.*
    )
    select array_agg(distinct c), coalesce(array_agg(distinct t.demoted) filter (where t.demoted is not null), '{}'),
           coalesce(array_agg(distinct c) filter (where t.closed), '{}')
      into customers, demoted, closed
      from taken as t cross join unnest(t.customer_ids) as c;
    perform crmshift.elect_or_queue(customers, demoted, closed);
    perform crmshift.settle_held(array['23502', 'SH010']);  -- what legacy wrote meanwhile, and found no lead for
    perform crmshift.follow_appointments(customers);
    return null;
end
$trigger$;
comment on function crmshift.tg_elect_primary_lead() is 'Elects where this transaction left a customer without a primary lead.';

create constraint trigger customer_with_leads_has_a_primary_one
after insert on crmshift.primary_lead_wanted deferrable initially deferred
for each row execute function crmshift.tg_elect_primary_lead();

-- What may leave a customer without a primary lead is noted. Inserts and deletes by statement, for they come in bulk: and after
-- the sync, which holds the contacts' rows by then, so that of two transactions the later one sees what the earlier one did.

create function crmshift.tg_note_leads() returns trigger
language plpgsql security definer
set search_path = pg_catalog, public, pg_temp
as $trigger$
declare
    customers uuid[];
begin
    if tg_op = 'INSERT' then
        select array_agg(distinct n.customer_id) into customers from changed as n
         where not n.is_primary and not exists (select from public.leads as p where p.customer_id = n.customer_id and p.is_primary);
    else
        select array_agg(distinct w.customer_id) into customers from was as w
         where w.is_primary and exists (select from public.leads as l where l.customer_id = w.customer_id);
    end if;
    if customers is not null then
        insert into crmshift.primary_lead_wanted (customer_ids) values (customers);
    end if;
    return null;
end
$trigger$;
comment on function crmshift.tg_note_leads() is 'Notes customers that a statement may have left without a primary lead.';

create function crmshift.tg_note_lead() returns trigger
language plpgsql security definer
set search_path = pg_catalog, public, pg_temp
as $trigger$
declare
    is_closed boolean := old.is_primary and new.is_primary and new.customer_id = old.customer_id;
begin
    if is_closed and crmshift.is_syncing() then
        return null;  -- closed by legacy, which must see what it wrote
    end if;
    insert into crmshift.primary_lead_wanted (customer_ids, demoted, closed)
    values (array[old.customer_id, new.customer_id], case when old.is_primary and not new.is_primary then old.id end, is_closed);
    return null;
end
$trigger$;
comment on function crmshift.tg_note_lead() is 'Notes the customer of a lead that was demoted, closed, or passed to another one.';

create function crmshift.tg_apply_primary_lead_rule() returns trigger
language plpgsql
as $trigger$
-- The closed dispositions stand in the condition of the trigger itself, so that no write on leads has to read the rule; and
-- where none close a lead there is no trigger, for the mere condition costs each write some microseconds.
begin
    if new.closed = '{}' then
        if exists (select from pg_catalog.pg_trigger as t where t.tgrelid = 'public.leads'::regclass and t.tgname = 'crmshift_then_note_closed') then
            drop trigger crmshift_then_note_closed on public.leads;
            perform crmshift.accept_object('trigger', 'public.leads', 'crmshift_then_note_closed');
        end if;
        return null;
    end if;
    execute format(
        'create or replace trigger crmshift_then_note_closed
         after update of disposition on public.leads
         for each row when (old.is_primary and new.is_primary and new.disposition is distinct from old.disposition
                            and new.disposition = any (%L::text[]))
         execute function crmshift.tg_note_lead()', new.closed);
    perform crmshift.accept_object('trigger', 'public.leads', 'crmshift_then_note_closed');
    return null;
end
$trigger$;
comment on function crmshift.tg_apply_primary_lead_rule() is 'Makes the trigger crmshift_then_note_closed for these dispositions, or none. The lock keeps writers of leads waiting for a moment.';

create trigger rule_is_applied
after insert or update on crmshift.primary_lead_rule
for each row execute function crmshift.tg_apply_primary_lead_rule();

create trigger crmshift_then_note_insert
after insert on public.leads referencing new table as changed
for each statement execute function crmshift.tg_note_leads();

create trigger crmshift_then_note_delete
after delete on public.leads referencing old table as was
for each statement execute function crmshift.tg_note_leads();

create trigger crmshift_then_note_update
after update on public.leads
for each row when (new.customer_id <> old.customer_id or old.is_primary and not new.is_primary)
execute function crmshift.tg_note_lead();

insert into crmshift.primary_lead_rule default values;

-- Whoever promotes a lead need not demote the present one first. The row is written as not primary, and when the statement
-- is over the present one is demoted and this one promoted: a statement cannot do both in an order that suits the unique index.

create function crmshift.tg_ask_primary_lead() returns trigger
language plpgsql security definer
set search_path = pg_catalog, public, pg_temp
as $trigger$
begin
    if exists (select from public.leads as p where p.customer_id = new.customer_id and p.is_primary and p.id <> old.id) then
        perform set_config('crmshift.asked', concat_ws(',', nullif(current_setting('crmshift.asked', true), ''), new.id), true);
        new.is_primary := false;
    end if;
    return new;
end
$trigger$;
comment on function crmshift.tg_ask_primary_lead() is 'Where there is a primary lead, lets another one take its place after the statement.';

create function crmshift.tg_make_primary_lead() returns trigger
language plpgsql security definer
set search_path = pg_catalog, public, pg_temp
as $trigger$
declare
    -- Of several leads of one customer the last one stays: so it would be, were they promoted one by one.
    asked uuid[] := array(select distinct on (l.customer_id) l.id
                            from unnest(string_to_array(current_setting('crmshift.asked'), ',')::uuid[]) with ordinality as a (id, i)
                            join public.leads as l on l.id = a.id order by l.customer_id, a.i desc);
begin
    perform set_config('crmshift.asked', '', true);
    for attempt in 1 .. 3 loop
        begin
            update public.leads as l set is_primary = false
              from public.leads as a
             where a.id = any (asked) and l.customer_id = a.customer_id and l.is_primary and l.id <> all (asked);
            update public.leads as l set is_primary = true where l.id = any (asked) and not l.is_primary;
            return null;
        exception when unique_violation then
            if attempt = 3 then
                raise;
            end if;
            -- Another transaction has just promoted one: that one makes way in its turn.
        end;
    end loop;
end
$trigger$;
comment on function crmshift.tg_make_primary_lead() is 'Demotes the present primary lead and promotes the one that was asked for.';

create trigger crmshift_ask_primary_lead
before update of is_primary on public.leads
for each row when (new.is_primary and not old.is_primary)
execute function crmshift.tg_ask_primary_lead();

create trigger crmshift_then_make_primary_lead
after update of is_primary on public.leads
for each statement when (current_setting('crmshift.asked', true) <> '')
execute function crmshift.tg_make_primary_lead();

create function crmshift.follow_primary_lead(customer_ids uuid[]) returns void
language plpgsql
as $$
-- Called before contacts are written from these customers' leads. In a trigger a customer without a primary lead is left to
-- COMMIT: the statement may be the first of two. Otherwise somebody settles the queue, or repairs.
declare
    vacant uuid[];
begin
    if pg_trigger_depth() = 0 then
        vacant := crmshift.without_primary_lead(customer_ids);
    end if;
    if vacant is not null then
        perform from public.contacts as c where c.id = any (vacant) order by c.id for no key update of c;
        perform set_config('crmshift.writing', 'public.leads', true);
        update public.leads as l set is_primary = true
         where l.id in (select n.lead_id from crmshift.next_primary_lead(crmshift.without_primary_lead(vacant), '{}') as n);
    end if;
end
$$;
comment on function crmshift.follow_primary_lead(uuid[]) is 'Before what is queued is settled: a customer with leads but no primary one gets one.';

create function crmshift.appointments_of_leads(customer_ids uuid[]) returns table (subject text, key jsonb)
language sql stable
as $$
-- A write on leads can change which appointments legacy sees: those of a lead that became primary, that is so no more, or
-- that went to another customer. While none is primary it goes on seeing those it sees.
select 'appointments', jsonb_build_object('id', a.id)
  from unnest($1) as k (id)
  join public.leads as l on l.customer_id = k.id
  join public.lead_appointments as a on a.workspace_id = l.workspace_id and a.lead_id = l.id
 where case when l.is_primary then not exists (select from public.appointments as o where o.id = a.id and o.contact_id = l.customer_id)
            else exists (select from public.appointments as o where o.id = a.id)
                 and exists (select from public.leads as p where p.customer_id = l.customer_id and p.is_primary) end
$$;
comment on function crmshift.appointments_of_leads(uuid[]) is 'Appointments that legacy now sees and did not before, sees no more, or sees with another contact, after leads of these customers were written.';
