create function f() returns trigger language plpgsql as 'begin return null; end'; create table t (a int); create constraint trigger g after insert on t for each row execute function f();
