create table t (id integer primary key, a text, b integer);
create index t_a_idx on t (a);
