create aggregate public.total (basetype = integer, initcond = 0, stype = int4, sfunc = pg_catalog.int4pl);
