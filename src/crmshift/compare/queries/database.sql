-- What belongs to the database and to no schema: event triggers, publications, subscriptions, casts, languages, transforms, access methods, foreign servers.
select 'event trigger' as kind, '' as schema, '' as parent, e.evtname as name,
       json_strip_nulls(json_build_object(
           'event', e.evtevent, 'function', e.evtfoid::regprocedure::text,
           'tags', (select array_agg(tag order by tag) from unnest(e.evttags) as tag),
           'fires', case e.evtenabled when 'D' then 'never: disabled' when 'R' then 'on replicas only' when 'A' then 'always' end)) as attributes,
       json_build_object() as details, false as derived,
       'pg_event_trigger'::regclass::oid as classid, e.oid as objid, 0 as objsubid
  from pg_event_trigger as e
union all
select 'publication', '', '', p.pubname,
       json_strip_nulls(json_build_object(
           'all tables', case when p.puballtables then 'yes' end,
           'publishes', concat_ws(', ', case when p.pubinsert then 'insert' end, case when p.pubupdate then 'update' end,
                                        case when p.pubdelete then 'delete' end, case when p.pubtruncate then 'truncate' end),
           'via partition root', case when p.pubviaroot then 'yes' end,
           'generated columns', nullif(to_jsonb(p) ->> 'pubgencols', 'n'),
           'tables', (select array_agg(r.prrelid::regclass::text
                              || coalesce(' (' || (select string_agg(quote_ident(a.attname), ', ' order by a.attname) from pg_attribute as a
                                                    where a.attrelid = r.prrelid and a.attnum = any (r.prattrs::smallint[])) || ')', '')
                              || coalesce(' where ' || pg_get_expr(r.prqual, r.prrelid), '')
                              order by r.prrelid::regclass::text) from pg_publication_rel as r where r.prpubid = p.oid),
           'schemas', (select array_agg(s.pnnspid::regnamespace::text order by s.pnnspid::regnamespace::text)
                         from pg_publication_namespace as s where s.pnpubid = p.oid))),
       json_build_object(), false, 'pg_publication'::regclass, p.oid, 0
  from pg_publication as p
union all
-- The connection string may hold a password, and most roles may not read it.
select 'subscription', '', '', s.subname,
       json_strip_nulls(json_build_object(
           'enabled', case when not s.subenabled then 'no' end, 'slot', s.subslotname,
           'synchronous commit', s.subsynccommit, 'binary', case when s.subbinary then 'yes' end,
           'streaming', nullif(nullif(s.substream::text, 'f'), 'false'), 'two phase', nullif(s.subtwophasestate::text, 'd'),
           'disabled on error', case when s.subdisableonerr then 'yes' end,
           'publications', (select array_agg(p order by p) from unnest(s.subpublications) as p))),
       json_build_object(), false, 'pg_subscription'::regclass, s.oid, 0
  from pg_subscription as s where s.subdbid = (select d.oid from pg_database as d where d.datname = current_database())
union all
select 'cast', '', '', format('%s as %s', c.castsource::regtype, c.casttarget::regtype),
       json_strip_nulls(json_build_object(
           'function', nullif(c.castfunc, 0)::regprocedure::text,
           'context', case c.castcontext when 'i' then 'implicit' when 'a' then 'assignment' when 'e' then 'explicit' end,
           'method', case c.castmethod when 'f' then 'function' when 'i' then 'inout' when 'b' then 'binary' end)),
       json_build_object(), false, 'pg_cast'::regclass, c.oid, 0
  from pg_cast as c
 where c.oid >= 16384
   -- That of a range to its multirange is part of it.
   and not exists (select from pg_depend as d where d.classid = 'pg_cast'::regclass and d.objid = c.oid and d.deptype = 'i')
union all
select 'language', '', '', l.lanname,
       json_strip_nulls(json_build_object(
           'trusted', case when l.lanpltrusted then 'yes' end,
           'handler', nullif(l.lanplcallfoid, 0)::regprocedure::text,
           'inline', nullif(l.laninline, 0)::regprocedure::text,
           'validator', nullif(l.lanvalidator, 0)::regprocedure::text)),
       json_build_object(), false, 'pg_language'::regclass, l.oid, 0
  from pg_language as l where l.lanispl
union all
select 'transform', '', '', format('%s for %s', t.trftype::regtype, l.lanname),
       json_strip_nulls(json_build_object(
           'from sql', nullif(t.trffromsql::oid, 0)::regprocedure::text, 'to sql', nullif(t.trftosql::oid, 0)::regprocedure::text)),
       json_build_object('type', t.trftype::regtype::text, 'language', l.lanname), false, 'pg_transform'::regclass, t.oid, 0
  from pg_transform as t join pg_language as l on l.oid = t.trflang
union all
select 'access method', '', '', a.amname,
       json_build_object('handler', a.amhandler::regproc::text, 'type', case a.amtype when 't' then 'table' else 'index' end),
       json_build_object(), false, 'pg_am'::regclass, a.oid, 0
  from pg_am as a where a.oid >= 16384
union all
select 'foreign-data wrapper', '', '', w.fdwname,
       json_strip_nulls(json_build_object(
           'handler', nullif(w.fdwhandler, 0)::regproc::text, 'validator', nullif(w.fdwvalidator, 0)::regproc::text,
           'options', (select array_agg(option order by option) from unnest(w.fdwoptions) as option))),
       json_build_object(), false, 'pg_foreign_data_wrapper'::regclass, w.oid, 0
  from pg_foreign_data_wrapper as w
union all
select 'server', '', '', s.srvname,
       json_strip_nulls(json_build_object(
           'wrapper', w.fdwname, 'type', s.srvtype, 'version', s.srvversion,
           'options', (select array_agg(option order by option) from unnest(s.srvoptions) as option))),
       json_build_object(), false, 'pg_foreign_server'::regclass, s.oid, 0
  from pg_foreign_server as s join pg_foreign_data_wrapper as w on w.oid = s.srvfdw
union all
-- Of options that may be secret only the name is read; not all roles see any.
select 'user mapping', '', '', format('%s on %s', m.usename, m.srvname),
       json_strip_nulls(json_build_object(
           'options', (select array_agg(case when option ~* '^[^=]*(pass|secret|token|key|cred)' then split_part(option, '=', 1) else option end order by option) from unnest(m.umoptions) as option))),
       json_build_object('user', m.usename, 'server', m.srvname), false, 'pg_user_mapping'::regclass, m.umid, 0
  from pg_user_mappings as m
