create table t (a int, constraint a_is_positive check (a > 0));
