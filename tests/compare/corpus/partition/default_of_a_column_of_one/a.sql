create table t (id int not null, d date not null) partition by range (d);
create table t_2024 partition of t for values from ('2024-01-01') to ('2025-01-01');
