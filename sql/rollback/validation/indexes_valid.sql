-- Undoes validation/indexes_valid.
drop function crmshift.check_indexes_valid(uuid);
