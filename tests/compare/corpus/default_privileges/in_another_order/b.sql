alter default privileges for user crm_owner in schema public grant select on tables to crm_app; alter default privileges for role crm_owner in schema public grant select on tables to crm_reader;
