create table t (a int not null); create unique index i on t (a); create unique index j on t (a); alter table t replica identity using index i;
