create table t (a int, b int8, c int2, d float8, e float4, f bool, g decimal(8, 2), h varchar(10), i char(3), j timestamptz, k timestamp, l timetz, m bit varying(4), n char, o float(30));
