create table t (a int); alter table t add constraint a_is_positive check (a > 0) not valid; alter table t validate constraint a_is_positive;
