-- needs extension hstore
create schema if not exists public; create extension if not exists hstore with schema public; create table t (a public.hstore);
