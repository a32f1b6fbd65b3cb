-- needs PostgreSQL 18
create table t (a int check (a > 0) not enforced);
