alter default privileges for role crm_owner grant select on tables to crm_app; alter default privileges for role crm_owner revoke select on tables from crm_app;
