create sequence s; grant usage, select on sequence s to crm_app;
