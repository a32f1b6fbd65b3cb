create table t (id integer primary key, a text, b integer);
create table u (id int primary key); create publication p for table public.u with (publish = 'truncate, delete, update, insert'); alter publication p add table t;
