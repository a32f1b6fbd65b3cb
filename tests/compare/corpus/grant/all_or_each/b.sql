create table t (id integer primary key, a text, b integer);
grant all privileges on table public.t to group crm_app;
