-- lead_custom_fields: values on one lead, such as its campaign. Legacy has no place for them.
-- No cascade: whatever deletes the owner must first say what becomes of them (crmshift archives them).

create table public.lead_custom_fields (
    lead_id      uuid not null,
    field_id     uuid not null,
    workspace_id uuid not null,
    value        text,
    created_at   timestamptz default now(),
    primary key (lead_id, field_id),
    constraint field_belongs_to_lead_of_its_workspace foreign key (workspace_id, lead_id)
        references public.leads (workspace_id, id) on update cascade
);
create index lead_custom_fields_lead_idx on public.lead_custom_fields (workspace_id, lead_id);
create index lead_custom_fields_field_idx on public.lead_custom_fields (workspace_id, field_id);
comment on table public.lead_custom_fields is 'Value of a custom field for one lead. Legacy cannot hold it.';

alter table public.lead_custom_fields enable row level security;
alter table public.lead_custom_fields force row level security;
create policy lead_custom_fields_of_workspace on public.lead_custom_fields
    using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
create policy lead_custom_fields_of_owner on public.lead_custom_fields to current_user using (true);
