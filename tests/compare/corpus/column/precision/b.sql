create table t (a numeric(12, 2));
