set check_function_bodies = off; create function f() returns int language plpgsql as 'select 1';
