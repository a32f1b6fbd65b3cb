create table t (a timestamptz default pg_catalog.now(), b uuid default pg_catalog.gen_random_uuid());
