create table t (id integer primary key, a text, b integer);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger g before insert or update on t for each row when (new.b > 0) execute function f();
