create table p (id int primary key, u int unique);
create table t (p int, foreign key (p) references public.p (id));
