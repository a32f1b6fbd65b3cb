create table t (id integer primary key, a text, b integer);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger g before insert on t for each row execute function f();create function h() returns trigger language plpgsql as 'begin return new; end';
