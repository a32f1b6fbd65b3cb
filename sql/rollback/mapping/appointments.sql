-- Undoes mapping/appointments.
delete from crmshift.mapping where name = 'appointments';
drop view crmshift.appointments_expected;
