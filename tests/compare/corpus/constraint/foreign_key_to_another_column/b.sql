create table p (id int primary key, u int unique);
create table t (p int references p (u));
