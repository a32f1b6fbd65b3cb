-- Undoes schema/repair.
drop function crmshift.undo_repair_batch(bigint);
drop function crmshift.undo_row(crmshift.repair_log);
drop function crmshift.repair_batch(bigint, text, text[], integer, boolean);
drop function crmshift.repair_keys(bigint, text, jsonb);
drop function crmshift.repair_image(text, jsonb, boolean);
drop function crmshift.references_to(text);
drop function crmshift.rows_of(text, text[], jsonb, text[], boolean);
drop function crmshift.repair_start(text, uuid);
drop function crmshift.repair_drift(text, uuid);
drop function crmshift.authority();
drop table crmshift.repair_log;
drop table crmshift.repair_key;
drop table crmshift.repair_run;
