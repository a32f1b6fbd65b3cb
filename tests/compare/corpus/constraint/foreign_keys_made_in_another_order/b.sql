create table b (id int primary key, a int); create table a (id int primary key, b int references b); alter table b add foreign key (a) references a;
