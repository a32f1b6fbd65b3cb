create table t (id integer primary key, a text, b integer);
grant all on t to crm_app;
