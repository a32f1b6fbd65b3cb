create table t (id integer primary key, a text, b integer);
comment on table t is 'One.';
