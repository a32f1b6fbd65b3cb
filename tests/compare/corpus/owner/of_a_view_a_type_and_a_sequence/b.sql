create table t (id integer primary key, a text, b integer);
create view v as select id, a from t;create type stage as enum ('new'); create sequence s; alter view v owner to crm_owner; alter type stage owner to crm_owner; alter sequence s owner to crm_owner;
