-- Undoes validation/field_definitions.
drop function crmshift.check_field_definitions(uuid);
