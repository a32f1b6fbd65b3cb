create table t (a text not null, b int);
