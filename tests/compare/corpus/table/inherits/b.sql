create table p (a int); create table t (b int) inherits (p);
