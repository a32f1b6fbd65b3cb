create table t (id integer primary key, a text, b integer);
grant update (a) on t to crm_app;
