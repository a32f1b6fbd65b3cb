create table t (id integer primary key, a text, b integer);
alter table t enable row level security;
CREATE POLICY p ON public.t AS PERMISSIVE FOR ALL TO crm_app, crm_reader USING (((b > 0) AND (a = pg_catalog.current_setting('app.workspace'::text, true))));
