create table t (id integer primary key, a text, b integer);
create view v as select id, a from t;alter view v alter a set default 'x';
