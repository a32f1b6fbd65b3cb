create function f() returns setof int language sql as 'select 1';
