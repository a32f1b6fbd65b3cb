create table t (a int) partition by hash (a);
