create table t (a timestamptz default current_timestamp);
