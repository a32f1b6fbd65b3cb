create text search configuration public.c (copy = pg_catalog.simple); comment on text search configuration c is 'x'; comment on text search configuration c is null;
