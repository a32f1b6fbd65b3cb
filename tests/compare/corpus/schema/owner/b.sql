create schema crm authorization crm_owner;
