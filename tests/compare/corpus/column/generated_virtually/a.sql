-- needs PostgreSQL 18
create table t (a int, b int generated always as (a * 2) stored);
