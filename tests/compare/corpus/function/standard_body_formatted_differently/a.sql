create function f(x int) returns int language sql begin atomic select 1; select case when x > 0 then x end; end;
