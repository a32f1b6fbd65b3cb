create table t (id integer primary key, a text, b integer);
create publication p for table t with (publish = 'insert, update');
