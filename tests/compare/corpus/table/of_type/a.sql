create type d as (a int, b text); create table t (a int, b text);
