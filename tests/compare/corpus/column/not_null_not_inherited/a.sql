-- needs PostgreSQL 18
create table t (a text not null);
