create table t (id int primary key, a text check (a <> '')) partition by hash (id);
create index on t (a);
create table t_0 (like t including all); alter table t attach partition t_0 for values with (modulus 1, remainder 0);
