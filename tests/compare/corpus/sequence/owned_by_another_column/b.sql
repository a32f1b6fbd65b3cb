create table t (id integer primary key, a text, b integer);
create sequence s owned by t.b;
