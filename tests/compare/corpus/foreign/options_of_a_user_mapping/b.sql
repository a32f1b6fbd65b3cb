create foreign data wrapper w; create server s foreign data wrapper w; create user mapping for crm_app server s options (user 'b', password 'x');
