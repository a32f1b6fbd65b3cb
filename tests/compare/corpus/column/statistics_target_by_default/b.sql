create table t (a text); alter table t alter a set statistics 500; alter table t alter a set statistics -1;
