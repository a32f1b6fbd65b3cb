create type d as (a int); create function f(d) returns int language sql as 'select 1';
