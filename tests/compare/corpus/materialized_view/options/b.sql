create table t (id integer primary key, a text, b integer);
create materialized view m with (fillfactor = 70) as select id, a from t;
