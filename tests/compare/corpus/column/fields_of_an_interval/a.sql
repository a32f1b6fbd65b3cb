create table t (a interval);
