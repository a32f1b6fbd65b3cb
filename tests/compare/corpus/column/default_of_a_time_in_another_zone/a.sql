create table t (a timestamptz default timestamptz '2024-01-31 12:00+00');
