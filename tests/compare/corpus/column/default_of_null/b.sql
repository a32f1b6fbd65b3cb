create table t (a text default null);
