create table t (id serial primary key, a text not null default 'x'); create index i on t (a); comment on table t is 'T.';
