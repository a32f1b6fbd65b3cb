create schema crm authorization crm_owner; create table crm.t (id int); alter table crm.t owner to crm_owner;
