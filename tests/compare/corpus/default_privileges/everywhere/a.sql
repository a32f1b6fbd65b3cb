alter default privileges for role crm_owner grant select on tables to crm_app;
