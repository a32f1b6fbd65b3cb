create schema crm authorization crm_owner; set role crm_owner; create table crm.t (id int);
