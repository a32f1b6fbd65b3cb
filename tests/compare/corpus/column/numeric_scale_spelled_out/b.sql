create table t (a numeric(10, 0));
