create function f() returns setof int language sql cost 7 rows 9 as 'select 1';
