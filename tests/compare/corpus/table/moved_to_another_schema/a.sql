create schema crm; create table t (id int);
