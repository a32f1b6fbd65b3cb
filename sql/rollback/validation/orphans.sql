-- Undoes validation/orphans.
drop function crmshift.check_orphans(uuid);
