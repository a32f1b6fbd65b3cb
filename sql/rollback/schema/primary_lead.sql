-- Undoes schema/primary_lead.
drop function crmshift.appointments_of_leads(uuid[]);
drop function crmshift.follow_primary_lead(uuid[]);
