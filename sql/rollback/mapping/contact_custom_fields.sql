-- Undoes mapping/contact_custom_fields.
delete from crmshift.mapping where name = 'contact_custom_fields';
drop view crmshift.contact_custom_fields_expected;
