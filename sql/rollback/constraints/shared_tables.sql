-- Undoes constraints/shared_tables.
alter table public.customer_custom_fields drop constraint customer_field_is_defined;
alter table public.customers drop constraint customer_belongs_to_workspace;
