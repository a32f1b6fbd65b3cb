-- What an expand/contract tool of the shape of pgroll leaves behind while one column, lead_status, is being changed: a second
-- column beside the first, a flag for rows still to do, and two triggers for each row that edit NEW in place. It syncs one column
-- within one row and knows no other table, so it is the least that any sync by triggers costs. Written from a description of that
-- shape; nothing of pgroll is in it.
alter table public.contacts add column stage text;
alter table public.contacts add column stage_to_do boolean default true;

create schema version_2;
create view version_2.contacts with (security_invoker = true) as
select id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip, lead_source, stage as lead_status,
       appointment_status, created_at, updated_at
  from public.contacts;

-- Both functions take every column of the row into a variable, for the user's expression may name any of them.
create function public.bench_stage_up() returns trigger language plpgsql as $$
declare
    id public.contacts.id%type := new.id;
    workspace_id public.contacts.workspace_id%type := new.workspace_id;
    firstname public.contacts.firstname%type := new.firstname;
    lastname public.contacts.lastname%type := new.lastname;
    email public.contacts.email%type := new.email;
    phone_number public.contacts.phone_number%type := new.phone_number;
    st_address public.contacts.st_address%type := new.st_address;
    city public.contacts.city%type := new.city;
    state public.contacts.state%type := new.state;
    zip public.contacts.zip%type := new.zip;
    lead_source public.contacts.lead_source%type := new.lead_source;
    lead_status public.contacts.lead_status%type := new.lead_status;
    appointment_status public.contacts.appointment_status%type := new.appointment_status;
    created_at public.contacts.created_at%type := new.created_at;
    updated_at public.contacts.updated_at%type := new.updated_at;
    path text;
begin
    select s into path from current_setting('search_path') as s;
    if path <> 'version_2' then  -- written through the old version
        new.stage = upper(lead_status);
        new.stage_to_do = false;
    end if;
    return new;
end $$;

create function public.bench_stage_down() returns trigger language plpgsql as $$
declare
    id public.contacts.id%type := new.id;
    workspace_id public.contacts.workspace_id%type := new.workspace_id;
    firstname public.contacts.firstname%type := new.firstname;
    lastname public.contacts.lastname%type := new.lastname;
    email public.contacts.email%type := new.email;
    phone_number public.contacts.phone_number%type := new.phone_number;
    st_address public.contacts.st_address%type := new.st_address;
    city public.contacts.city%type := new.city;
    state public.contacts.state%type := new.state;
    zip public.contacts.zip%type := new.zip;
    lead_source public.contacts.lead_source%type := new.lead_source;
    lead_status public.contacts.stage%type := new.stage;
    appointment_status public.contacts.appointment_status%type := new.appointment_status;
    created_at public.contacts.created_at%type := new.created_at;
    updated_at public.contacts.updated_at%type := new.updated_at;
    path text;
begin
    select s into path from current_setting('search_path') as s;
    if path = 'version_2' then  -- written through the new one
        new.lead_status = lead_status;
        new.stage_to_do = false;
    end if;
    return new;
end $$;

create trigger bench_stage_up before insert or update on public.contacts for each row execute function public.bench_stage_up();
create trigger bench_stage_down before insert or update on public.contacts for each row execute function public.bench_stage_down();

-- Its backfill: batches of rows still to do, in key order, each a transaction that updates the key with itself, so that the
-- triggers do the work. Here a procedure; the tool sends each batch over the network, so it is a little slower than this.
create procedure public.bench_stage_backfill(batch integer) language plpgsql as $$
declare
    last uuid := '00000000-0000-0000-0000-000000000000';
    got uuid;
begin
    loop
        with picked as (
            select c.id from public.contacts as c where c.stage_to_do and c.id > last order by c.id limit batch for no key update
        ), touched as (
            update public.contacts as c set id = c.id from picked as p where c.id = p.id returning c.id
        )
        select t.id into got from touched as t order by t.id desc limit 1;
        commit;
        exit when got is null;
        last := got;
    end loop;
end $$;
