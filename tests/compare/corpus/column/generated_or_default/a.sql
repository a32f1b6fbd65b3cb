create table t (b int default 2);
