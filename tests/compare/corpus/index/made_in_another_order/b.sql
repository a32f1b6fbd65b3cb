create table t (id integer primary key, a text, b integer);
create index j on t (b); create index i on t (a);
