create table t (id integer primary key, a text, b integer);
create materialized view public.m as
select t.id,
       t.a
from public.t with data;
