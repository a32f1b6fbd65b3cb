-- Check the rows that were there before constraints/shared_tables; blocks neither readers nor writers.
alter table public.customers validate constraint customer_belongs_to_workspace;
alter table public.customer_custom_fields validate constraint customer_field_is_defined;
