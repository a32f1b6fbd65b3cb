create schema crm; grant usage on schema crm to crm_app;
