create function f(x int) returns int language sql immutable security definer as 'select x + 1';
