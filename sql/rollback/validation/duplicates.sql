-- Undoes validation/duplicates.
drop function crmshift.check_duplicates(uuid);
