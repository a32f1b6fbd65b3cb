-- Undoes schema/beyond_legacy.
drop function crmshift.archive_appointment_fields(bigint[]);
drop function crmshift.archive_beyond_legacy(uuid[]);
drop view crmshift.beyond_legacy;
