create table t (id int primary key, a text check (a <> '')) partition by hash (id);
create index on t (a);
create table t_0 partition of t for values with (modulus 1, remainder 0);
