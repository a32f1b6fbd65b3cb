create table t (id integer primary key, a text, b integer);
CREATE OR REPLACE RULE r AS ON UPDATE TO public.t DO DELETE FROM public.t WHERE t.id = OLD.id;
