create table t (id integer primary key, a text, b integer);
create view v as select id as x, a as y from t;
