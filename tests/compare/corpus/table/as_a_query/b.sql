create table t as select 1 as a, 'x'::text as b where false;
