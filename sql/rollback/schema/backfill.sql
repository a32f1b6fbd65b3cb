-- Undoes schema/backfill.
drop function crmshift.backfill_end(text);
drop function crmshift.backfill_batch(text, integer, uuid, integer, boolean);
drop function crmshift.write_batch(text[], text[], text);
drop function crmshift.keys_of(text, text[]);
drop function crmshift.backfill_start(text, uuid);
drop function crmshift.walk_condition(text, uuid, uuid[]);
drop function crmshift.workspace_of(text);
drop function crmshift.backfill_sources();
drop function crmshift.backfill_mappings(text);
drop view crmshift.backfill;
drop table crmshift.backfill_range;
drop table crmshift.backfill_walk;
