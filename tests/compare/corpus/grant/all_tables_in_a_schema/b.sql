create table t (id integer primary key, a text, b integer);
grant select on all tables in schema public to crm_reader;
