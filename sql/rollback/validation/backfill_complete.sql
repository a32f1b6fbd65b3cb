-- Undoes validation/backfill_complete.
drop function crmshift.check_backfill_complete(uuid);
