create table t (a int check (a between 1 and 9));
