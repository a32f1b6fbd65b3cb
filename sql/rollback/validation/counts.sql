-- Undoes validation/counts.
drop function crmshift.check_counts(uuid);
