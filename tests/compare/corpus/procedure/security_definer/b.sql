create procedure p() language plpgsql security definer as 'begin null; end';
