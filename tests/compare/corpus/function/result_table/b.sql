create function f() returns table (b int) language sql as 'select 1';
