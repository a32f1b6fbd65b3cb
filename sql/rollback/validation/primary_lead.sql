-- Undoes validation/primary_lead.
drop function crmshift.check_primary_lead(uuid);
