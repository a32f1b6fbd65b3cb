create schema crm; set search_path = crm; create table t (id int);
