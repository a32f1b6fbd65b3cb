-- Undoes mapping/customer_custom_fields.
delete from crmshift.mapping where name = 'customer_custom_fields';
drop view crmshift.customer_custom_fields_expected;
