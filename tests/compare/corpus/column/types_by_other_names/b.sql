create table t (a integer, b bigint, c smallint, d double precision, e real, f boolean, g numeric(8, 2), h character varying(10), i character(3),
    j timestamp with time zone, k timestamp without time zone, l time with time zone, m varbit(4), n character(1), o double precision);
