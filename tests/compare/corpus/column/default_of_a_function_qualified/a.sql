create table t (a timestamptz default now(), b uuid default gen_random_uuid());
