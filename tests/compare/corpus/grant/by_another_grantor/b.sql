create table t (id integer primary key, a text, b integer);
grant select on t to crm_app with grant option; set role crm_app; grant select on t to crm_reader; reset role;
