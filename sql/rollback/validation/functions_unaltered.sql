-- Undoes validation/functions_unaltered.
drop function crmshift.check_functions_unaltered(uuid);
