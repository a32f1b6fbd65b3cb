set datestyle = 'German'; set intervalstyle = 'iso_8601'; create table t (a date default date '31.01.2024', b interval default 'P1DT2H3M4S');
