create table t (a int primary key); alter table t cluster on t_pkey;
