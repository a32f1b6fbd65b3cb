create table t (id integer primary key, old text, a text, b integer); alter table t drop column old;
