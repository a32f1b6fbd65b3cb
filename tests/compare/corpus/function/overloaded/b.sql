create function f(x int) returns int language sql immutable as 'select x + 1';create function f(x text) returns int language sql as 'select 1';
