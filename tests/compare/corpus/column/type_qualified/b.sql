create table t (a pg_catalog.text, b pg_catalog.jsonb);
