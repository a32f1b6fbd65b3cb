-- Undoes schema/installed.
drop view crmshift.target_table;
drop function crmshift.altered(text[]);
drop function crmshift.accept_object(text, text, text, text);
drop function crmshift.record_objects(text);
drop function crmshift.objects(text[], boolean);
drop function crmshift.is_written_here(xid);
drop table crmshift.installed;
