create table t (id integer primary key, a text, b integer);
create index concurrently i on t (a);
create index concurrently if not exists i on t (a);
