create table t (a text) with (fillfactor = 70, autovacuum_enabled = off, autovacuum_vacuum_scale_factor = 0.10);
