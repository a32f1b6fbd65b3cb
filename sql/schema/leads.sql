-- leads: one enquiry of a customer, for one product, with its own stage and outcome.
-- Types as in customers.sql: text and timestamptz, because the mission's varchar and timestamp would refuse or lose legacy values.

create table public.leads (
    id                 uuid primary key default gen_random_uuid(),
    customer_id        uuid not null,
    workspace_id       uuid not null,
    productid          text,
    source             text,
    sourcesubdescr     text,
    disposition        text,
    stg_id             integer,
    appointment_status text,
    is_primary         boolean not null default false,
    entrydate          timestamptz default now(),
    apptdate           timestamptz,
    lastchangedon      timestamptz default now(),
    lastchangedby      text,
    -- One fact, two names, as in customers.
    created_at         timestamptz generated always as (entrydate) stored,
    updated_at         timestamptz generated always as (lastchangedon) stored,
    constraint lead_is_known_by_workspace unique (workspace_id, id),
    constraint lead_belongs_to_customer_of_its_workspace foreign key (workspace_id, customer_id)
        references public.customers (workspace_id, cst_id) on update cascade
);
create unique index customer_has_one_primary_lead on public.leads (customer_id) where is_primary;
create index leads_customer_id_idx on public.leads (customer_id, workspace_id);
create index leads_disposition_idx on public.leads (workspace_id, disposition);
create index leads_stage_idx on public.leads (workspace_id, stg_id) where stg_id is not null;

comment on table public.leads is 'One enquiry of a customer. Legacy sees only the primary one, as contacts.lead_status.';
comment on column public.leads.productid is 'What the enquiry is about; null where unknown. Legacy does not know, so migrated leads have none.';
comment on column public.leads.sourcesubdescr is 'Has no counterpart in legacy.';
comment on column public.leads.disposition is 'Legacy: contacts.lead_status, verbatim.';
comment on column public.leads.stg_id is 'Stage of the pipeline; has no counterpart in legacy.';
comment on column public.leads.appointment_status is 'Legacy: contacts.appointment_status, verbatim. The appointments themselves are in lead_appointments.';
comment on column public.leads.is_primary is 'The lead legacy sees: the migrated one, or the one chosen since. In every committed state a customer that has leads has exactly one; see crmshift.primary_lead_rule.';
comment on column public.leads.entrydate is 'When the enquiry was entered; for a migrated lead, when its contact was.';
comment on column public.leads.apptdate is 'Free for the application; appointments have their own table and their own dates.';
comment on column public.leads.lastchangedon is 'When the lead last changed. Legacy keeps one clock for contact and lead: the later of this and customers.lastchanged.';

alter table public.leads enable row level security;
alter table public.leads force row level security;
create policy leads_of_workspace on public.leads
    using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
create policy leads_of_owner on public.leads to current_user using (true);
