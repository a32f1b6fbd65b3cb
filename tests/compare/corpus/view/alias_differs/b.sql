create table t (id integer primary key, a text, b integer);
create view v as select p.id, q.a from t p join t q on p.id = q.id;
