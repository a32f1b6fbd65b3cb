create table t (id integer primary key, a text, b integer);
create view v (x, y) as select id, a from t;
