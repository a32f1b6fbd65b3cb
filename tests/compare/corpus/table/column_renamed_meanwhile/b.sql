create table t (id integer primary key, x text, b integer); alter table t rename x to a;
