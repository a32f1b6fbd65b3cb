-- Undoes validation/row_security.
drop function crmshift.check_row_security(uuid);
