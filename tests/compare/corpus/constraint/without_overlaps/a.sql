-- needs PostgreSQL 18
create table t (a int4range, during daterange, constraint t_key unique (a, during));
