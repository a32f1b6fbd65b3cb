create table t (id integer primary key, a text, b integer);
create view v as select id, a from t;comment on view v is 'All.'; alter view v owner to crm_owner;
