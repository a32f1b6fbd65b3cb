create procedure p() language plpgsql as 'begin rollback; end';
