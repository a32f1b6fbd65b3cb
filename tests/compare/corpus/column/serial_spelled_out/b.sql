create sequence t_a_seq as integer;
create table t (a integer not null default nextval('t_a_seq'));
alter sequence t_a_seq owned by t.a;
