create table t (id integer primary key, a text, b integer);
create function f() returns trigger language plpgsql as 'begin return new; end';
CREATE OR REPLACE TRIGGER g BEFORE UPDATE OR INSERT ON public.t FOR ROW WHEN ((NEW.b) > 0) EXECUTE PROCEDURE public.f();
