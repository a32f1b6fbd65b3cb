create function f(x int) returns int language sql immutable as 'select x + 1';
