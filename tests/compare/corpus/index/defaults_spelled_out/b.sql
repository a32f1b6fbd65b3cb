create table t (id integer primary key, a text, b integer);
CREATE INDEX i ON public.t USING btree (a text_ops ASC NULLS LAST, b int4_ops);
