create procedure p(x int) language sql as 'select x';
