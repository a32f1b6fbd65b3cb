create schema crm;
create table crm.t (id int);
create view crm.v as select id from crm.t;
