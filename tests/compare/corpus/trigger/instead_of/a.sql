create table t (id integer primary key, a text, b integer);
create view v as select * from t; create function f() returns trigger language plpgsql as 'begin return new; end';
