create function f(x int) returns int language sql immutable set search_path = '' as 'select x + 1';
