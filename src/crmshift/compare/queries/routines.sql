-- Functions, procedures and aggregates, named with the types of their arguments.
-- A body is text: only line ends and blanks at the end of lines do not count. A body in standard SQL is compared as PostgreSQL prints it.
select case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end as kind,
       n.nspname as schema, '' as parent, format('%s(%s)', p.proname, oidvectortypes(p.proargtypes)) as name,
       json_strip_nulls(json_build_object(
           'arguments', pg_get_function_arguments(p.oid),
           'returns', pg_get_function_result(p.oid),
           'language', case when a.aggfnoid is null then l.lanname end,
           'window', case when p.prokind = 'w' then 'yes' end,
           'volatility', case when a.aggfnoid is null then
               case p.provolatile when 'i' then 'immutable' when 's' then 'stable' when 'v' then 'volatile' end end,
           'strict', case when p.proisstrict then 'yes' end,
           'security', case when p.prosecdef then 'definer' end,
           'leakproof', case when p.proleakproof then 'yes' end,
           'parallel', case p.proparallel when 's' then 'safe' when 'r' then 'restricted' end,
           'cost', case when a.aggfnoid is null then p.procost::text end,
           'rows', case when p.proretset then p.prorows::text end,
           'support', nullif(p.prosupport::oid, 0)::regproc::text,
           'settings', (select array_agg(s order by s) from unnest(p.proconfig) as s),
           'transforms', (select array_agg(format_type(y, null) order by format_type(y, null)) from unnest(p.protrftypes) as y),
           'library', case when l.lanname = 'c' then p.probin end,
           'body', case when a.aggfnoid is null then coalesce(pg_get_function_sqlbody(p.oid),
               rtrim(regexp_replace(replace(p.prosrc, e'\r', ''), '[ \t]+$', '', 'gn'), e' \t\n')) end,
           'aggregate', case a.aggkind when 'o' then 'ordered set' when 'h' then 'hypothetical set' end,
           'state function', nullif(a.aggtransfn::oid, 0)::regprocedure::text,
           'state type', format_type(a.aggtranstype, null),
           'state size', nullif(a.aggtransspace, 0)::text,
           'initial state', a.agginitval,
           'final function', nullif(a.aggfinalfn::oid, 0)::regprocedure::text,
           'final function gets', case when a.aggfinalextra then 'extra arguments' end,
           'final function modifies', case when a.aggfinalmodify <> case when a.aggkind = 'n' then 'r' else 'w' end then a.aggfinalmodify::text end,
           'combine function', nullif(a.aggcombinefn::oid, 0)::regprocedure::text,
           'serial function', nullif(a.aggserialfn::oid, 0)::regprocedure::text,
           'deserial function', nullif(a.aggdeserialfn::oid, 0)::regprocedure::text,
           'moving state function', nullif(a.aggmtransfn::oid, 0)::regprocedure::text,
           'moving inverse function', nullif(a.aggminvtransfn::oid, 0)::regprocedure::text,
           'moving state type', case when a.aggmtranstype <> 0 then format_type(a.aggmtranstype, null) end,
           'moving state size', nullif(a.aggmtransspace, 0)::text,
           'moving initial state', a.aggminitval,
           'moving final function', nullif(a.aggmfinalfn::oid, 0)::regprocedure::text,
           'moving final function gets', case when a.aggmfinalextra then 'extra arguments' end,
           'moving final function modifies', case when a.aggmfinalmodify <> case when a.aggkind = 'n' then 'r' else 'w' end then a.aggmfinalmodify::text end,
           'sort operator', nullif(a.aggsortop, 0)::regoperator::text)) as attributes,
       json_strip_nulls(json_build_object(
           'name', p.proname, 'identity arguments', pg_get_function_identity_arguments(p.oid),
           'full definition', case when a.aggfnoid is null then pg_get_functiondef(p.oid) end)) as details,
       false as derived,
       'pg_proc'::regclass::oid as classid, p.oid as objid, 0 as objsubid
  from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
  join pg_language as l on l.oid = p.prolang
  left join pg_aggregate as a on a.aggfnoid = p.oid
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
   -- The constructors of a range are part of it.
   and not exists (select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = p.oid
                      and d.deptype = 'i' and d.refclassid = 'pg_type'::regclass)
