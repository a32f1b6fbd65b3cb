create type d as (a int); create function f(d) returns int language sql as 'select 1'; create cast (d as int) with function f(d) as assignment;
