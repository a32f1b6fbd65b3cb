create table t (id int); alter table t add primary key (id);
