create table t (id integer primary key, a text, b integer);
comment on column t.a is 'What it says.';
