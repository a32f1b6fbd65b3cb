-- Undoes validation/unmapped_statuses.
drop function crmshift.check_unmapped_statuses(uuid);
