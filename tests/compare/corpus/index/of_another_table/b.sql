create table t (a int); create table u (a int); create index i on u (a);
