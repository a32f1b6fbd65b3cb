create table t (a text default 'x'::text, b character varying(10) default 'y'::character varying, c date default date '2024-01-31');
