create table t (a text default 'y');
