-- appointment_custom_fields: values on one appointment, such as its outcome. Legacy has no place for them.
-- No cascade: whatever deletes the owner must first say what becomes of them (crmshift archives them).

create table public.appointment_custom_fields (
    appointment_id bigint not null,
    field_id       uuid not null,
    workspace_id   uuid not null,
    value          text,
    created_at     timestamptz default now(),
    primary key (appointment_id, field_id),
    constraint field_belongs_to_appointment_of_its_workspace foreign key (workspace_id, appointment_id)
        references public.lead_appointments (workspace_id, id) on update cascade
);
create index appointment_custom_fields_appointment_idx on public.appointment_custom_fields (workspace_id, appointment_id);
create index appointment_custom_fields_field_idx on public.appointment_custom_fields (workspace_id, field_id);
comment on table public.appointment_custom_fields is 'Value of a custom field for one appointment. Legacy cannot hold it.';

alter table public.appointment_custom_fields enable row level security;
alter table public.appointment_custom_fields force row level security;
create policy appointment_custom_fields_of_workspace on public.appointment_custom_fields
    using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
create policy appointment_custom_fields_of_owner on public.appointment_custom_fields to current_user using (true);
