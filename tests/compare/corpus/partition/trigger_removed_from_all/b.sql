create function f() returns trigger language plpgsql as 'begin return new; end'; create table t (a int) partition by list (a); create table u partition of t for values in (1);
