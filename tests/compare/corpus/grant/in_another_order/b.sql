create table t (id integer primary key, a text, b integer);
grant insert on t to crm_reader; grant select on t to crm_app;
