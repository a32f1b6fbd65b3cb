create table t (a text); alter table t set (AUTOVACUUM_ENABLED = false, autovacuum_vacuum_scale_factor = 0.1, FillFactor = 70);
