create table t (a varchar(20));
