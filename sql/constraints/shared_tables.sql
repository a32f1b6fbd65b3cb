-- The lead-centric side takes charge: from here on a workspace or field definition that customers still use cannot be deleted.
-- Until now such a foreign key could have made a legacy DELETE fail (see schema/customers). NOT VALID: no scan
-- under the lock; constraints/shared_tables_validated does it afterwards, in a transaction that blocks nobody.
alter table public.customers add constraint customer_belongs_to_workspace
    foreign key (workspace_id) references public.workspaces (id) not valid;
alter table public.customer_custom_fields add constraint customer_field_is_defined
    foreign key (field_id) references public.custom_fields (id) not valid;
