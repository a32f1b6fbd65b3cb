-- Undoes validation/rows_compared.
drop function crmshift.check_rows_compared(uuid);
