create sequence public.s as bigint increment by 1 minvalue 1 no maxvalue start with 1 cache 1 no cycle owned by none;
