create table t (a int unique nulls distinct);
