-- Undoes validation/replica_writers.
drop function crmshift.check_replica_writers(uuid);
