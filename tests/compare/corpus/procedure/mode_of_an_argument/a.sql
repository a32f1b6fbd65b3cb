create procedure p(x int) language plpgsql as 'begin null; end';
