create table t (a text not null);
