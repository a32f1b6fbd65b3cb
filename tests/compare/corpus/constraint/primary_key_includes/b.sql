create table t (id int, a int, primary key (id) include (a));
