create table t (b integer);
alter table t add column a text;
alter table t add column id integer primary key;
