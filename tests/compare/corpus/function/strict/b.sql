create function f(x int) returns int language sql immutable strict as 'select x + 1';
