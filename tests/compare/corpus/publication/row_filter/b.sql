create table t (id integer primary key, a text, b integer);
create publication p for table t where (id > 0);
