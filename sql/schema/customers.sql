-- customers: a person or household, whatever they may buy.
--
-- Names are the mission's. Types are text and timestamptz throughout: varchar(20) refuses real phone numbers,
-- varchar(50) and (100) real states and cities, and a timestamp without zone depends on who reads it.
-- No foreign key to workspaces yet: while legacy is in charge it would make a legacy DELETE fail whenever the
-- sync of that workspace's rows is outstanding. The phase traffic-migration adds it; validate looks for orphans until then.

create table public.customers (
    cst_id       uuid primary key default gen_random_uuid(),
    workspace_id uuid not null,
    firstname    text,
    lastname     text,
    email        text,
    phone1       text,
    address1     text,
    address2     text,
    city         text,
    state        text,
    zip          text,
    dateadded    timestamptz default now(),
    lastchanged  timestamptz default now(),
    -- The mission names these two besides dateadded and lastchanged. One fact, two names: they cannot disagree.
    created_at   timestamptz generated always as (dateadded) stored,
    updated_at   timestamptz generated always as (lastchanged) stored,
    constraint customer_is_known_by_workspace unique (workspace_id, cst_id)
);
create index customers_email_idx on public.customers (workspace_id, lower(email));
create index customers_phone1_idx on public.customers (workspace_id, phone1);

comment on table public.customers is 'A person or household of a workspace; has any number of leads. Same id as the legacy contact.';
comment on column public.customers.dateadded is 'When legacy or the application first had it; null where legacy does not know.';
comment on column public.customers.lastchanged is 'When its own columns last changed; a change of a lead does not touch it.';
comment on column public.customers.address2 is 'Has no counterpart in legacy.';

alter table public.customers enable row level security;
alter table public.customers force row level security;
create policy customers_of_workspace on public.customers
    using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
-- The role that installs crmshift owns its functions: the sync must see every workspace. Let applications use another role.
create policy customers_of_owner on public.customers to current_user using (true);
