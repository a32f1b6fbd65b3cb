-- Undoes schema/primary_lead.
drop function crmshift.follow_primary_lead(uuid[]);
