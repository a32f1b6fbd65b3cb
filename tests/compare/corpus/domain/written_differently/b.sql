create domain public.d character varying(10); alter domain d set default 'x'::varchar; alter domain d set not null; alter domain d add constraint d_check check (value <> ''::text);
