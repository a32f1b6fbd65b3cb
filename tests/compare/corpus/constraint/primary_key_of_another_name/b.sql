create table t (id int constraint t_key primary key);
