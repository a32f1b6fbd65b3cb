create schema crm; create table crm.t (id int);
