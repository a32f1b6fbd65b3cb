create table t (id integer primary key, a text, b integer);
create view v as select x.id, y.a from t x join t y on x.id = y.id;
