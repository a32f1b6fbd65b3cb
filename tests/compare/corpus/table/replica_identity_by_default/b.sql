create table t (id integer primary key, a text, b integer);
alter table t replica identity full; alter table t replica identity default;
