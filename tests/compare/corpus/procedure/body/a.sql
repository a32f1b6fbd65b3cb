create procedure p() language plpgsql as 'begin commit; end';
