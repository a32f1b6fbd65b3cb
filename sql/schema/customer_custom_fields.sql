-- customer_custom_fields: values on the customer, shared by all its leads. Legacy: contact_custom_fields.
-- The definitions stay in custom_fields, which both sides share; no foreign key to them, for the reason given in customers.sql.
-- Goes with its customer, as in legacy: a legacy DELETE of a contact reaches this side before those of its fields.

create table public.customer_custom_fields (
    customer_id  uuid not null,
    field_id     uuid not null,
    workspace_id uuid not null,
    value        text,
    created_at   timestamptz default now(),
    primary key (customer_id, field_id),
    constraint field_belongs_to_customer_of_its_workspace foreign key (workspace_id, customer_id)
        references public.customers (workspace_id, cst_id) on update cascade on delete cascade
);
create index customer_custom_fields_customer_idx on public.customer_custom_fields (workspace_id, customer_id);
create index customer_custom_fields_field_idx on public.customer_custom_fields (workspace_id, field_id);
comment on table public.customer_custom_fields is 'Value of a custom field for a customer, whatever the lead.';

alter table public.customer_custom_fields enable row level security;
alter table public.customer_custom_fields force row level security;
create policy customer_custom_fields_of_workspace on public.customer_custom_fields
    using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
create policy customer_custom_fields_of_owner on public.customer_custom_fields to current_user using (true);
