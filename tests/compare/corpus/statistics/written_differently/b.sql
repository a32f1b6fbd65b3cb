create table t (id integer primary key, a text, b integer);
create statistics public.s (ndistinct, dependencies, mcv) on b, a from public.t;
