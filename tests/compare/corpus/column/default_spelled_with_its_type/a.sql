create table t (a text default 'x', b varchar(10) default 'y', c date default '2024-01-31');
