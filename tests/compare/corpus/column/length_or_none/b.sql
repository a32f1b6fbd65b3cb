create table t (a varchar);
