create table t (id int not null, d date not null) partition by range (d);
