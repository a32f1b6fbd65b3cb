create table t (id integer primary key, a text, b integer);
create view v with (security_invoker = on) as select id, a from t;
