-- Undoes mapping/leads.
delete from crmshift.mapping where name = 'leads';
drop view crmshift.leads_expected;
