create table t (a int default cast('1' as integer));
