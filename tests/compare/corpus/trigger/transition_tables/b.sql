create table t (id integer primary key, a text, b integer);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger g after insert on t referencing new table as n for each statement execute function f();
