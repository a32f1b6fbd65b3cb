-- Undoes schema/beyond_legacy.
drop function crmshift.archive_appointment_fields(bigint[]);
drop function crmshift.archive_customers(uuid[]);
drop function crmshift.archive_lead(uuid[]);
drop view crmshift.beyond_legacy;
