create table t (id integer primary key, a text, b integer);
create table u (id int primary key); create publication p for table t;
