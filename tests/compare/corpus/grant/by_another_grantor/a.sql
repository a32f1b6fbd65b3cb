create table t (id integer primary key, a text, b integer);
grant select on t to crm_app; grant select on t to crm_reader;
