create table t (id integer primary key, a text, b integer);
CREATE OR REPLACE VIEW public.v AS
  SELECT t.id -- key
       , t.a
    FROM public.t;
