create procedure p(inout x int) language plpgsql as 'begin null; end';
