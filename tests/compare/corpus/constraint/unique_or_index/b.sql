create table t (a int); create unique index t_a_key on t (a);
