create table t (a timestamptz default now());
