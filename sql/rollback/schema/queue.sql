-- Undoes schema/queue. The archive goes too: rollback counts what is in it before it lets this happen.
drop table crmshift.conflict_log;
drop table crmshift.archive;
drop table crmshift.sync_queue;
