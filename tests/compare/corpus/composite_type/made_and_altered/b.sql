create type d as (a int4, x text); alter type d rename attribute x to b;
