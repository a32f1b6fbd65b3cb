create table t (a text) with (fillfactor = 70); alter table t reset (fillfactor);
