create table t (a int4, b int4 GENERATED ALWAYS AS (((a) * 2) + 1) STORED);
