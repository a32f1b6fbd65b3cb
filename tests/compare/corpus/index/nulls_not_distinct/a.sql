create table t (id integer primary key, a text, b integer);
create unique index i on t (a);
