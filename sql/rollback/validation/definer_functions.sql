-- Undoes validation/definer_functions.
drop function crmshift.check_definer_functions(uuid);
