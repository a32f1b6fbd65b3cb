create function f(x int default 2) returns int language sql as 'select x';
