create table t (a int check (a >= 1 and a <= 9));
