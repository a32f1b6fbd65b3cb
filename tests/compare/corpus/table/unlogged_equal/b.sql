create table t (id int); alter table t set unlogged;
