create table p (id integer not null default 7, a text);
create table t (id integer not null default 7, a text);
