-- Undoes validation/schema_unaltered.
drop function crmshift.check_schema_unaltered(uuid);
