create table t (a text constraint a_is_known not null);
