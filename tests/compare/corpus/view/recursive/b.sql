create table t (id integer primary key, a text, b integer);
create recursive view v (n) as select 1 union all select n + 1 from v where n < 5;
