create table t (id int not null); create unique index t_pkey on t (id); alter table t add primary key using index t_pkey;
