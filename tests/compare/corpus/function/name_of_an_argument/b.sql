create function f(y int) returns int language sql as 'select $1';
