create foreign data wrapper w; create server s foreign data wrapper w; grant usage on foreign server s to crm_app;
