-- Undoes schema/backfill.
drop function crmshift.backfill_batch(text, integer);
drop function crmshift.backfill_start(text);
drop table crmshift.backfill;
