create table t (id int) with (fillfactor = 80, autovacuum_enabled = off);
