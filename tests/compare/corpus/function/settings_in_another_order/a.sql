create function f(x int) returns int language sql immutable set work_mem = '8MB' set search_path = public, pg_temp as 'select x + 1';
