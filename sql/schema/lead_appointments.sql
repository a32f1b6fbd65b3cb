-- lead_appointments: appointments of one lead. Legacy sees those of the primary lead, as appointments of the contact.
-- Both sides draw their ids from legacy's sequence, so that a row born on either side has a number free on the other.
-- Goes with its lead, for the reason given in customer_custom_fields.sql.

create table public.lead_appointments (
    id            bigint primary key default nextval('public.appointments_id_seq'),
    lead_id       uuid not null,
    workspace_id  uuid not null,
    scheduled_at  timestamptz default now(),
    apptdate      timestamptz,
    status        text,
    reminder_sent boolean,
    constraint appointment_is_known_by_workspace unique (workspace_id, id),
    constraint appointment_belongs_to_lead_of_its_workspace foreign key (workspace_id, lead_id)
        references public.leads (workspace_id, id) on update cascade on delete cascade
);
create index lead_appointments_lead_idx on public.lead_appointments (lead_id, workspace_id);
create index lead_appointments_apptdate_idx on public.lead_appointments (workspace_id, apptdate);
comment on table public.lead_appointments is 'An appointment about one lead.';
comment on column public.lead_appointments.scheduled_at is 'When the appointment was made.';
comment on column public.lead_appointments.apptdate is 'When it takes place.';

alter table public.lead_appointments enable row level security;
alter table public.lead_appointments force row level security;
create policy lead_appointments_of_workspace on public.lead_appointments
    using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
create policy lead_appointments_of_owner on public.lead_appointments to current_user using (true);
