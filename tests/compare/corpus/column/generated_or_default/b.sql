create table t (b int generated always as (2) stored);
