-- Undoes schema/engine.
drop function crmshift.drain(integer);
drop function crmshift.settle_held();
drop function crmshift.settle_row(text, jsonb);
drop function crmshift.ensure_row(text, jsonb);
drop function crmshift.merge(text, jsonb, bigint[], text);
drop view crmshift.queued;
drop view crmshift.outstanding;
drop function crmshift.note_changes(text, jsonb[], jsonb[]);
drop function crmshift.after_truncate(text);
drop function crmshift.drift(text, uuid);
drop function crmshift.sync_or_queue(text, jsonb, text);
drop function crmshift.settle();
drop function crmshift.sync_keys(text, jsonb);
drop function crmshift.sync_rows(text[], jsonb[]);
drop function crmshift.ensure_parents(text, jsonb);
drop function crmshift.lock_sources(text, jsonb);
drop function crmshift.call_writer(text, text, jsonb);
drop function crmshift.is_syncing();
