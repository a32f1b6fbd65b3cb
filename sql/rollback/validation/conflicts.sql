-- Undoes validation/conflicts.
drop function crmshift.check_conflicts(uuid);
