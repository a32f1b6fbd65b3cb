create or replace function public.f(in x integer) returns integer as $body$select x + 1$body$ parallel safe returns null on null input language 'sql' immutable;
