-- Undoes validation/unmapped_columns.
drop function crmshift.check_unmapped_columns(uuid);
