create table t (a text, b int null); alter table t alter a set not null;
