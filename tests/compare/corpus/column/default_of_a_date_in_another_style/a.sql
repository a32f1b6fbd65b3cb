create table t (a date default date '2024-01-31', b interval default '1 day 02:03:04');
