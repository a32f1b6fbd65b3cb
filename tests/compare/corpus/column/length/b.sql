create table t (a varchar(255));
