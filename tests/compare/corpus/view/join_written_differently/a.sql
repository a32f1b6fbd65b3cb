create table t (id integer primary key, a text, b integer);
create view v as select t.id from t join t as u on u.id = t.b;
