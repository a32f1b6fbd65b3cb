create table t (id integer primary key, a text, b integer);
create index j on t (a);
