create function f(x int) returns int language sql set search_path to public,pg_temp immutable set work_mem to '8MB' as 'select x + 1';
