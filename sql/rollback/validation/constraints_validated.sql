-- Undoes validation/constraints_validated.
drop function crmshift.check_constraints_validated(uuid);
