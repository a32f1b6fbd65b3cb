create function f(x int) returns int language sql immutable leakproof as 'select x + 1';
