create function f(x int) returns int language sql immutable parallel safe as 'select x + 1';
