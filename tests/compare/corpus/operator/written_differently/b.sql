create operator public.=== (procedure = pg_catalog.int4eq, rightarg = integer, leftarg = int4);
