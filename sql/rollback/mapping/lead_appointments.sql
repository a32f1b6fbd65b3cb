-- Undoes mapping/lead_appointments.
delete from crmshift.mapping where name = 'lead_appointments';
drop view crmshift.lead_appointments_expected;
