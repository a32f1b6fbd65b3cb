-- What lives in a schema and is seldom made by hand: extended statistics, collations, operators and their classes, conversions, text search.
select 'statistics' as kind, n.nspname as schema, '' as parent, x.stxname as name,
       json_strip_nulls(json_build_object(
           'definition', pg_get_statisticsobjdef(x.oid),
           'statistics target', case when coalesce(x.stxstattarget, -1) >= 0 then x.stxstattarget::text end)) as attributes,
       json_build_object() as details, false as derived,
       'pg_statistic_ext'::regclass::oid as classid, x.oid as objid, 0 as objsubid
  from pg_statistic_ext as x join pg_namespace as n on n.oid = x.stxnamespace
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
union all
select 'collation', n.nspname, '', c.collname,
       json_strip_nulls(json_build_object(
           'provider', case c.collprovider when 'c' then 'libc' when 'i' then 'icu' when 'b' then 'builtin' when 'd' then 'default' end,
           -- The columns have had other names in each version.
           'locale', coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'),
           'collate', c.collcollate, 'ctype', c.collctype,
           'rules', to_jsonb(c) ->> 'collicurules',
           'deterministic', case when not c.collisdeterministic then 'no' end)),
       json_build_object(), false, 'pg_collation'::regclass, c.oid, 0
  from pg_collation as c join pg_namespace as n on n.oid = c.collnamespace
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
union all
select 'operator', n.nspname, '', format('%s(%s, %s)', o.oprname, coalesce(nullif(o.oprleft, 0)::regtype::text, 'none'), o.oprright::regtype),
       json_strip_nulls(json_build_object(
           'function', o.oprcode::regprocedure::text,
           'commutator', nullif(o.oprcom, 0)::regoperator::text,
           'negator', nullif(o.oprnegate, 0)::regoperator::text,
           'restrict', nullif(o.oprrest::oid, 0)::regproc::text,
           'join', nullif(o.oprjoin::oid, 0)::regproc::text,
           'hashes', case when o.oprcanhash then 'yes' end,
           'merges', case when o.oprcanmerge then 'yes' end)),
       json_strip_nulls(json_build_object('name', o.oprname, 'left', nullif(o.oprleft, 0)::regtype::text, 'right', o.oprright::regtype::text)),
       false, 'pg_operator'::regclass, o.oid, 0
  from pg_operator as o join pg_namespace as n on n.oid = o.oprnamespace
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
union all
select 'operator class', n.nspname, '', format('%s using %s', c.opcname, am.amname),
       json_strip_nulls(json_build_object(
           'type', c.opcintype::regtype::text,
           'default', case when c.opcdefault then 'yes' end,
           'storage', nullif(c.opckeytype, 0)::regtype::text,
           'family', (select format('%I.%I', s.nspname, f.opfname) from pg_opfamily as f join pg_namespace as s on s.oid = f.opfnamespace where f.oid = c.opcfamily))),
       json_build_object('name', c.opcname, 'access method', am.amname), false, 'pg_opclass'::regclass, c.oid, 0
  from pg_opclass as c join pg_namespace as n on n.oid = c.opcnamespace join pg_am as am on am.oid = c.opcmethod
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
union all
select 'operator family', n.nspname, '', format('%s using %s', f.opfname, am.amname),
       json_strip_nulls(json_build_object(
           'operators', (select array_agg(format('%s %s%s', o.amopstrategy, o.amopopr::regoperator,
                                                 (select format(' for order by %I.%I', s.nspname, sorting.opfname) from pg_opfamily as sorting
                                                   join pg_namespace as s on s.oid = sorting.opfnamespace where sorting.oid = o.amopsortfamily))
                                          order by o.amopstrategy, o.amopopr::regoperator::text) from pg_amop as o where o.amopfamily = f.oid),
           'functions', (select array_agg(format('%s (%s, %s) %s', p.amprocnum, p.amproclefttype::regtype, p.amprocrighttype::regtype, p.amproc::regprocedure)
                                          order by p.amprocnum, p.amproc::regprocedure::text) from pg_amproc as p where p.amprocfamily = f.oid))),
       json_build_object('name', f.opfname, 'access method', am.amname), false, 'pg_opfamily'::regclass, f.oid, 0
  from pg_opfamily as f join pg_namespace as n on n.oid = f.opfnamespace join pg_am as am on am.oid = f.opfmethod
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
union all
select 'conversion', n.nspname, '', c.conname,
       json_strip_nulls(json_build_object(
           'from', pg_encoding_to_char(c.conforencoding), 'to', pg_encoding_to_char(c.contoencoding),
           'function', c.conproc::regprocedure::text, 'default', case when c.condefault then 'yes' end)),
       json_build_object(), false, 'pg_conversion'::regclass, c.oid, 0
  from pg_conversion as c join pg_namespace as n on n.oid = c.connamespace
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
union all
select 'text search configuration', n.nspname, '', c.cfgname,
       json_strip_nulls(json_build_object(
           'parser', (select format('%I.%I', s.nspname, p.prsname) from pg_ts_parser as p join pg_namespace as s on s.oid = p.prsnamespace where p.oid = c.cfgparser),
           'mappings', (select array_agg(format('%s: %s', token.alias, by_token.dictionaries) order by token.alias)
                          from (select m.maptokentype, string_agg(m.mapdict::regdictionary::text, ', ' order by m.mapseqno) as dictionaries
                                  from pg_ts_config_map as m where m.mapcfg = c.oid group by m.maptokentype) as by_token
                          join ts_token_type(c.cfgparser) as token on token.tokid = by_token.maptokentype))),
       json_build_object(), false, 'pg_ts_config'::regclass, c.oid, 0
  from pg_ts_config as c join pg_namespace as n on n.oid = c.cfgnamespace
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
union all
select 'text search dictionary', n.nspname, '', d.dictname,
       json_strip_nulls(json_build_object(
           'template', (select format('%I.%I', s.nspname, t.tmplname) from pg_ts_template as t join pg_namespace as s on s.oid = t.tmplnamespace where t.oid = d.dicttemplate),
           'options', d.dictinitoption)),
       json_build_object(), false, 'pg_ts_dict'::regclass, d.oid, 0
  from pg_ts_dict as d join pg_namespace as n on n.oid = d.dictnamespace
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
union all
select 'text search parser', n.nspname, '', p.prsname,
       json_strip_nulls(json_build_object(
           'start', p.prsstart::text, 'token', p.prstoken::text, 'end', p.prsend::text,
           'headline', nullif(p.prsheadline::oid, 0)::regproc::text, 'token types', p.prslextype::text)),
       json_build_object(), false, 'pg_ts_parser'::regclass, p.oid, 0
  from pg_ts_parser as p join pg_namespace as n on n.oid = p.prsnamespace
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
union all
select 'text search template', n.nspname, '', t.tmplname,
       json_strip_nulls(json_build_object('init', nullif(t.tmplinit::oid, 0)::regproc::text, 'lexize', t.tmpllexize::text)),
       json_build_object(), false, 'pg_ts_template'::regclass, t.oid, 0
  from pg_ts_template as t join pg_namespace as n on n.oid = t.tmplnamespace
 where n.oid = any ((select current_setting('crmshift.namespaces'))::oid[])
