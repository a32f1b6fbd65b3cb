create schema crm; comment on schema crm is 'Customers and leads.';
