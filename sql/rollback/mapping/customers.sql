-- Undoes mapping/customers.
delete from crmshift.mapping where name = 'customers';
drop view crmshift.customers_expected;
