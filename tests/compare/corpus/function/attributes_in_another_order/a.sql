create function f(x int) returns int language sql immutable strict parallel safe as 'select x + 1';
