-- needs PostgreSQL 18
create table t (a text); alter table t add constraint a_is_known not null a not valid;
