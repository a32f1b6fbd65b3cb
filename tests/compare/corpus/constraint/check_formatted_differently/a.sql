create table t (a int, b int, check (a > 0 and b < 10 or a is null));
