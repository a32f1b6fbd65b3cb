create table t (id integer primary key, a text, b integer);
grant select on t to crm_app; revoke select on t from crm_app; alter table t owner to crm_owner;
