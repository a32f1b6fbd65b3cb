create table p (id int primary key, u int unique);
create table t (p int); alter table t add foreign key (p) references p not valid;
