create table p (id integer not null default 7, a text);
create table t (like p including all);
