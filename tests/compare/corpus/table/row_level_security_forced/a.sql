create table t (id integer primary key, a text, b integer);
alter table t enable row level security;
