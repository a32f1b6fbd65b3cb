create table t (id integer primary key, a text, b integer);
create view v as select id from t; create view w as select id from v; create or replace view v as select id from t;
