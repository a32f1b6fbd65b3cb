create table t (id integer primary key, a text, b integer);
create view v as select t.id from t inner join t u on (u.id = t.b);
