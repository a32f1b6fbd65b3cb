create table t (id int not null, d date not null) partition by range (d);
create table t_2024 (id int not null, d date not null);
