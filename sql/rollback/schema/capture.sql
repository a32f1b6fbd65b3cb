-- Undoes schema/capture.
drop function crmshift.capture_of(text);
drop function crmshift.noting_statement(text, text);
drop function crmshift.queueing_statement(text, text);
drop function crmshift.nesting_statement(text, text);
drop function crmshift.overtaken_statement(text, text);
drop function crmshift.changes_query(text, text, boolean);
drop function crmshift.pairs_query(text, text, boolean);
drop table crmshift.capture;
