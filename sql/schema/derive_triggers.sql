-- From the description of a table to how writes on it reach the writers: sync_from_<table>, the trigger function
-- tg_<table>, and four triggers, because transition tables allow one event each and TRUNCATE has none.
--
-- Like derive_writers.sql it touches no catalogue.

create function crmshift.trigger_statements(source jsonb)
returns table (ordinal integer, object text, statement text)
language sql stable
as $derive$
with s as (
    select (select string_agg(quote_ident(p), '.') from unnest(parse_ident(j ->> 'source')) as p) as source,
           (parse_ident(j ->> 'source'))[1] as schema,
           (parse_ident(j ->> 'source'))[2] as name,
           j ->> 'direction' as direction,
           j ->> 'lock_timeout' as lock_timeout,
           array(select jsonb_array_elements_text(j -> 'keys')) as keys,
           array(select jsonb_array_elements_text(j -> 'key_types')) as key_types,
           array(select jsonb_array_elements_text(j -> 'reads')) as reads,
           j -> 'feeds' as feeds,
           j -> 'own' as own
      from (select $1) as given (j)
), k as (
    select string_agg(format('%I %s[]', 'of_' || c, s.key_types[i]), ', ' order by i) as parameters,
           string_agg(format('%s %s[]', 'k' || i, s.key_types[i]), '; ' order by i) as declared,
           string_agg('k' || i, ', ' order by i) as variables,
           string_agg(format('array_agg(%I)', c), ', ' order by i) as collected,
           string_agg(quote_ident(c), ', ' order by i) as columns,
           string_agg(format('$%s[:half]', i), ', ' order by i) as first_half,
           string_agg(format('$%s[half + 1:]', i), ', ' order by i) as second_half,
           string_agg(format('%L, coalesce(w.%2$I, n.%2$I)', c, c), ', ' order by i) as named
      from s, unnest(s.keys) with ordinality as u (c, i)
), r as (
    select string_agg(quote_ident(c), ', ' order by c) as reads from s, unnest(s.reads) as c
), f as (
    select ordinality as i, x ->> 'mapping' as mapping, x ->> 'mode' as mode, x ->> 'prepare' as prepare,
           (select string_agg(format('$%s', array_position(s.keys, c)), ', ' order by o)
              from jsonb_array_elements_text(x -> 'columns') with ordinality as a (c, o)) as arguments,
           (select string_agg(format('%L, (k%s)[i]', key, array_position(s.keys, c)), ', ' order by o)
              from rows from (jsonb_array_elements_text(x -> 'key'), jsonb_array_elements_text(x -> 'columns'))
                   with ordinality as a (key, c, o)) as named_k,
           (select string_agg(format('%L, ($%s)[i]', key, array_position(s.keys, c)), ', ' order by o)
              from rows from (jsonb_array_elements_text(x -> 'key'), jsonb_array_elements_text(x -> 'columns'))
                   with ordinality as a (key, c, o)) as named_i
      from s, jsonb_array_elements(s.feeds) with ordinality as a (x, ordinality)
), own as (
    -- the mappings that say what this very table should hold
    select string_agg(format('(%L, jsonb_build_object(%s))', x ->> 'mapping',
                             (select string_agg(format('%L, (k%s)[i]', c, array_position(s.keys, c)), ', ' order by o)
                                from jsonb_array_elements_text(x -> 'key') with ordinality as a (c, o))), ', ' order by x ->> 'mapping') as noted,
           string_agg(format('q.mapping = %L and q.key = jsonb_build_object(%s)', x ->> 'mapping',
                             (select string_agg(format('%L, ($%s)[i]', c, array_position(s.keys, c)), ', ' order by o)
                                from jsonb_array_elements_text(x -> 'key') with ordinality as a (c, o))), ' or ' order by x ->> 'mapping') as queued
      from s, jsonb_array_elements(s.own) as x
), calls as (
    select string_agg(case when mode = 'fill' then format('            perform crmshift.%I(%s);', 'fill_' || mapping, arguments)
                           else coalesce('            perform ' || prepare || '(' || arguments || E');\n', '')
                                || format('            expected_%s := crmshift.%I(%s);', i, 'sync_' || mapping, arguments) end,
                      E'\n' order by i) as writes,
           string_agg(format(E'            if expected_%1$s < cardinality($1) then\n                perform crmshift.%2$I(%3$s);\n            end if;',
                             i, 'remove_' || mapping, arguments),
                      E'\n' order by i desc) filter (where mode = 'sync') as removals,
           string_agg(format(E'    expected_%s bigint;\n', i), '' order by i) filter (where mode = 'sync') as declared,
           string_agg(format('(%L, jsonb_build_object(%s), %L)', mapping, named_i, case mode when 'fill' then 'parent' end), ', ' order by i) as queued,
           string_agg(format('(%L, jsonb_build_object(%s))', mapping, named_k), ', ' order by i) filter (where mode = 'sync') as noted
      from f
)
select 1, format('crmshift.sync_from_%s', s.name), format($sql$create or replace function crmshift.%1$I(%2$s) returns bigint
language plpgsql
as $sync$
-- Bring everything up to date that reads these rows of %3$s. A failure never reaches the caller: the batch is
-- halved until the bad keys stand alone, and those are queued. Returns how many were queued.
declare
%4$s    half integer := cardinality($1) / 2;
    -- Once a lock was not to be had, the rest must not wait for theirs one by one: when this is over, it is queued unseen.
    out_of_time boolean := clock_timestamp() > to_timestamp(nullif(current_setting('crmshift.deadline', true), '')::float8);
    state text := '55P03'; why text := 'no time left to wait for locks'; violated text; in_table text; in_column text;
begin
    if out_of_time is not true then
        begin
            perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
%5$s
%6$s
            -- A write of the other side to one of these very rows may wait in the queue. Seen now, with the rows written
            -- and therefore locked: it is not overwritten unseen, both wait to be settled together.
            if exists (select from crmshift.sync_queue)
               and exists (select from generate_subscripts($1, 1) as i join crmshift.sync_queue as q on %10$s
                            where q.reason not in ('nested', 'parent')) then
                raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
            end if;
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle();
            end if;
            perform set_config('crmshift.depth', '', true);
            return 0;
        exception when others then
            get stacked diagnostics state = returned_sqlstate, why = message_text, violated = constraint_name,
                                    in_table = table_name, in_column = column_name;
        end;
        if state in ('55P03', '40P01') and coalesce(current_setting('crmshift.deadline', true), '') = '' then
            perform set_config('crmshift.deadline', (extract(epoch from clock_timestamp()) + 0.25)::text, true);
            perform set_config('lock_timeout', '10ms', true);  -- the full wait was spent above
        end if;
        if half > 0 then
            return crmshift.%1$I(%8$s) + crmshift.%1$I(%9$s);
        end if;
    end if;
    insert into crmshift.sync_queue (mapping, key, reason, sqlstate, message, constraint_name, table_name, column_name)
    select distinct q.mapping, q.key, coalesce(q.reason, case state when 'SH010' then 'held' else 'failed' end), state, why,
           nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
      from generate_subscripts($1, 1) as i, lateral (values %7$s) as q (mapping, key, reason);
    return cardinality($1);
end
$sync$$sql$, 'sync_from_' || s.name, k.parameters, s.source, calls.declared, calls.writes, calls.removals, calls.queued,
       k.first_half, k.second_half, own.queued)
  from s, k, calls, own
union all
select 2, format('crmshift.tg_%s', s.name), format($sql$create or replace function crmshift.%1$I() returns trigger
language plpgsql security definer
set search_path = pg_catalog, %2$I, pg_temp
set lock_timeout = %3$L
set plan_cache_mode = force_generic_plan
as $trigger$
-- After a statement on %4$s: collect the keys whose mapped columns changed, and have them synced.
declare
    depth integer := nullif(current_setting('crmshift.depth', true), '')::integer;
    queued bigint;
    %5$s;
begin
    if pg_trigger_depth() = depth + 1 and current_setting('crmshift.writing', true) = %4$L then
        return null;  -- our own writer's statement; it has compared what it wrote
    end if;
    if tg_op = 'INSERT' then
        select %6$s into %7$s from (select distinct %8$s from changed) as x;
    elsif tg_op = 'DELETE' then
        select %6$s into %7$s from (select distinct %8$s from was) as x;
    elsif tg_op = 'UPDATE' then
        select %6$s into %7$s from (
            select distinct %8$s from (
                (select %9$s from changed except all select %9$s from was)
                union all
                (select %9$s from was except all select %9$s from changed)) as y) as x;
    else
        perform crmshift.after_truncate(%10$L);
        return null;
    end if;
    if k1 is null then
        return null;
    end if;
    if depth is not null then  -- inside a sync; settled before it ends
        if pg_trigger_depth() = depth + 1 then  -- a cascade of the writer's own statement: these rows are made out anew
            insert into crmshift.sync_queue (mapping, key, reason)
            select q.mapping, q.key, 'nested' from generate_subscripts(k1, 1) as i, lateral (values %14$s) as q (mapping, key);
        else  -- a trigger of the application wrote here: it is followed to the other side
            insert into crmshift.sync_queue (mapping, key, reason)
            select q.mapping, q.key, 'nested' from generate_subscripts(k1, 1) as i, lateral (values %11$s) as q (mapping, key);
        end if;
        perform set_config('crmshift.noted', 'yes', true);
        return null;
    end if;
    queued := crmshift.%12$I(%7$s);
    if current_setting('crmshift.deadline', true) <> '' then
        perform set_config('crmshift.deadline', '', true);
    end if;
    if queued > 0 then
        if tg_op = 'INSERT' then
            perform crmshift.note_changes(%13$L, array(select to_jsonb(n) from changed as n), null);
        elsif tg_op = 'DELETE' then
            perform crmshift.note_changes(%13$L, null, array(select to_jsonb(w) from was as w));
        else
            perform crmshift.note_changes(%13$L, array(select to_jsonb(n) from changed as n), array(select to_jsonb(w) from was as w));
        end if;
        perform crmshift.settle_held();
    end if;
    return null;
end
$trigger$$sql$, 'tg_' || s.name, s.schema, s.lock_timeout, s.source, k.declared, k.collected, k.variables, k.columns, r.reads,
       s.direction, calls.noted, 'sync_from_' || s.name, s.schema || '.' || s.name, own.noted)
  from s, k, r, calls, own
union all
select 3, format('trigger crmshift_sync_insert on %s', s.source), format($sql$create trigger crmshift_sync_insert
after insert on %1$s referencing new table as changed
for each statement execute function crmshift.%2$I()$sql$, s.source, 'tg_' || s.name)
  from s
union all
select 4, format('trigger crmshift_sync_update on %s', s.source), format($sql$create trigger crmshift_sync_update
after update on %1$s referencing old table as was new table as changed
for each statement execute function crmshift.%2$I()$sql$, s.source, 'tg_' || s.name)
  from s
union all
select 5, format('trigger crmshift_sync_delete on %s', s.source), format($sql$create trigger crmshift_sync_delete
after delete on %1$s referencing old table as was
for each statement execute function crmshift.%2$I()$sql$, s.source, 'tg_' || s.name)
  from s
union all
select 6, format('trigger crmshift_sync_truncate on %s', s.source), format($sql$create trigger crmshift_sync_truncate
after truncate on %1$s
for each statement execute function crmshift.%2$I()$sql$, s.source, 'tg_' || s.name)
  from s
$derive$;
comment on function crmshift.trigger_statements(jsonb) is 'How writes on a table reach the writers, derived from its description: sync_from_<table>, tg_<table> and the four triggers.';
