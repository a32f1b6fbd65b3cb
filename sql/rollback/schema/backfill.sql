-- Undoes schema/backfill.
drop function crmshift.backfill_batch(text, integer);
drop function crmshift.backfill_start(text);
drop function crmshift.backfill_mappings(text);
drop table crmshift.backfill;
