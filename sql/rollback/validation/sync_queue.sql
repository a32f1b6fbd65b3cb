-- Undoes validation/sync_queue.
drop function crmshift.check_sync_queue(uuid);
