create table p (id int primary key, u int unique);
create table t (p int references p (id) match simple on delete no action on update no action not deferrable);
