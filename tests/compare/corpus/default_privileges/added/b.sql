alter default privileges for role crm_owner in schema public grant select on tables to crm_reader;
