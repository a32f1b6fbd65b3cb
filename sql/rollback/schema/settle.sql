-- Undoes schema/settle.
drop function crmshift.resolve(bigint, text);
drop function crmshift.drain(integer, boolean);
drop function crmshift.queue_again(bigint[], text, text);
drop function crmshift.settle_whole(crmshift.sync_queue);
drop function crmshift.settle_held(text[]);
drop function crmshift.settle_row(text, jsonb);
drop function crmshift.log_escaped(text, jsonb);
drop function crmshift.record_conflict(text, jsonb, text, text[], text, text, jsonb);
drop function crmshift.write_legacy(text, jsonb, jsonb);
drop function crmshift.merge(text, jsonb, bigint[], boolean, text, text);
drop function crmshift.lock_row(text, jsonb);
drop function crmshift.ensure_subject(text, jsonb, text);
drop function crmshift.is_transient(text);
