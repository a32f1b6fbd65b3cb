create table t (a int, b int) partition by hash (a);
