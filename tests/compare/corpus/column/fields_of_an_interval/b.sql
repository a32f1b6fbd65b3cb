create table t (a interval day to second);
