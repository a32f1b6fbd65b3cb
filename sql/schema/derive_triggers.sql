-- From the description of a table to how writes on it reach the writers: sync_from_<table>, the trigger function
-- tg_<table>, and four triggers, because transition tables allow one event each and TRUNCATE has none; the four stand on
-- each partition of the table, too.
--
-- Like derive_writers.sql trigger_statements touches no catalogue.

create function crmshift.trigger_statements(source jsonb)
returns table (ordinal integer, object text, statement text)
language sql stable
as $derive$
with s as (
    select (select string_agg(quote_ident(p), '.') from unnest(parse_ident(j ->> 'source')) as p) as source,
           (parse_ident(j ->> 'source'))[1] as schema,
           (parse_ident(j ->> 'source'))[2] as name,
           j ->> 'side' as side,
           case j ->> 'side' when 'legacy' then 'target' else 'legacy' end as other_side,
           j ->> 'lock_timeout' as lock_timeout,
           array(select jsonb_array_elements_text(j -> 'keys')) as keys,
           array(select jsonb_array_elements_text(j -> 'key_types')) as key_types,
           array(select jsonb_array_elements_text(j -> 'reads')) as reads,
           (select string_agg(quote_literal(e), ', ') from jsonb_array_elements_text(j -> 'entities') as e) as entities,
           (select string_agg(format('%L::regclass', w), ', ') from jsonb_array_elements_text(j -> 'writes') as w) as writes,
           j -> 'feeds' as feeds,
           j -> 'subjects' as subjects,
           coalesce(j -> 'partitions', '[]') as partitions
      from (select $1) as given (j)
), k as (
    select string_agg(format('%I %s[]', 'of_' || c, s.key_types[i]), ', ' order by i) as parameters,
           string_agg(format('%s %s[]', 'k' || i, s.key_types[i]), '; ' order by i) as declared,
           string_agg('k' || i, ', ' order by i) as variables,
           string_agg(format('array_agg(%I)', c), ', ' order by i) as collected,
           string_agg(quote_ident(c), ', ' order by i) as columns,
           string_agg(format('n.%I as new_%s, w.%I as old_%s', c, i, c, i), ', ' order by i) as both,
           string_agg(format('k%s := case when same_key then array[one.new_%s] else array[one.new_%s, one.old_%s] end;', i, i, i, i), E'\n            ' order by i) as taken,
           string_agg('one.new_' || i, ', ' order by i) as new_keys,
           string_agg('one.old_' || i, ', ' order by i) as old_keys,
           string_agg(format('$%s[:half]', i), ', ' order by i) as first_half,
           string_agg(format('$%s[half + 1:]', i), ', ' order by i) as second_half
      from s, unnest(s.keys) with ordinality as u (c, i)
), r as (
    select string_agg(quote_ident(c), ', ' order by c) as reads, string_agg(format('n.%I', c), ', ' order by c) as n_reads,
           string_agg(format('w.%I', c), ', ' order by c) as w_reads
      from s, unnest(s.reads) as c
), f as (
    select ordinality as i, x ->> 'mapping' as mapping, x ->> 'mode' as mode, x ->> 'prepare' as prepare, x ->> 'reaches' as reaches,
           (x ->> 'whole')::boolean as whole,
           (select string_agg(format('$%s', array_position(s.keys, c)), ', ' order by o)
              from jsonb_array_elements_text(x -> 'columns') with ordinality as a (c, o)) as arguments,
           (select string_agg(format('$%s::text', array_position(s.keys, c)), ', ' order by o)
              from jsonb_array_elements_text(x -> 'columns') with ordinality as a (c, o)) as text_arguments,
           (select string_agg('k' || array_position(s.keys, c), ', ' order by o)
              from jsonb_array_elements_text(x -> 'columns') with ordinality as a (c, o)) as variables
      from s, jsonb_array_elements(s.feeds) with ordinality as a (x, ordinality)
), u as (
    -- subjects: what a write here is about, in the names legacy gives it
    select x ->> 'subject' as subject, x ->> 'mode' as mode, ordinality as i,
           (select string_agg(format('%L, (k%s)[i]', key, array_position(s.keys, c)), ', ' order by o)
              from rows from (jsonb_array_elements_text(x -> 'key'), jsonb_array_elements_text(x -> 'columns')) with ordinality as a (key, c, o)) as of_variables,
           (select string_agg(format('%L, ($%s)[i]', key, array_position(s.keys, c)), ', ' order by o)
              from rows from (jsonb_array_elements_text(x -> 'key'), jsonb_array_elements_text(x -> 'columns')) with ordinality as a (key, c, o)) as of_arguments
      from s, jsonb_array_elements(s.subjects) with ordinality as a (x, ordinality)
), about as (
    select string_agg(format('(%L, jsonb_build_object(%s))', subject, of_variables), ', ' order by i) filter (where mode = 'sync') as noted,
           string_agg(format('(%L, jsonb_build_object(%s), %L)', subject, of_arguments, case mode when 'fill' then 'parent' end), ', ' order by i) as queued,
           -- of a parent only its delete: its child must not bring it back
           string_agg(format('q.subject = %L and q.key = jsonb_build_object(%s)%s', subject, of_arguments,
                             case mode when 'fill' then ' and q.op = ''delete''' else '' end), ' or ' order by i) as outstanding
      from u
), calls as (
    select string_agg(case when mode = 'fill' then format($sql$            if crmshift.%1$I(%3$s) > 0 then  -- what it is made from may be changing, in a transaction that had no need of it
                perform crmshift.lock_sources(%4$L, crmshift.keys_of(%4$L, array[%5$s]));
                perform crmshift.%2$I(%3$s);
            end if;$sql$, 'fill_' || mapping, 'sync_' || mapping, arguments, mapping, text_arguments)
                           else coalesce('            perform ' || prepare || '(' || arguments || E');\n', '')
                                || format('            expected_%s := crmshift.%I(%s);', i, 'sync_' || mapping, arguments) end,
                      E'\n' order by i) as writes,
           string_agg(format(E'            if expected_%1$s < cardinality($1) then\n                perform crmshift.%2$I(%3$s);\n            end if;',
                             i, 'remove_' || mapping, arguments),
                      E'\n' order by i desc) filter (where mode = 'sync') as removals,
           string_agg(format(E'    expected_%s bigint;\n', i), '' order by i) filter (where mode = 'sync') as declared,
           -- A row that is inserted must not take over, unseen, another one that the other side has under the same key.
           coalesce(string_agg(format($sql$
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', %1$L, true);
            end if;$sql$, mapping), '' order by i) filter (where whole), '') as before_insert,
           coalesce(string_agg(format($sql$
            insert into crmshift.sync_queue (subject, key, side, reason) select r.subject, r.key, %1$L, 'nested' from %2$s(%3$s) as r;
            if found then
                perform set_config('crmshift.noted', 'yes', true);
            end if;$sql$, s.side, reaches, arguments), '' order by i) filter (where reaches is not null), '') as notes_reached,
           -- Outside of a sync, what is reached is made out in a block of its own: the tables to be read may be locked.
           coalesce(string_agg(format($sql$
    begin
        insert into crmshift.sync_queue (subject, key, side, reason, sqlstate) select r.subject, r.key, %1$L, 'failed', state from %2$s(%3$s) as r;
    exception when others then
        perform crmshift.queue_whole(%1$L, sqlstate);
    end;$sql$,
                      s.side, reaches, arguments), '' order by i) filter (where reaches is not null), '') as queues_reached,
           coalesce(string_agg(format($sql$
        begin
            insert into crmshift.sync_queue (subject, key, side, reason) select r.subject, r.key, %1$L, 'paused' from %2$s(%3$s) as r;
        exception when others then
            perform crmshift.queue_whole(%1$L, sqlstate);
        end;$sql$,
                      s.side, reaches, variables), '' order by i) filter (where reaches is not null), '') as pauses_reached,
           coalesce(string_agg(format($sql$
        insert into crmshift.sync_queue (subject, key, side, reason) select r.subject, r.key, %1$L, 'nested' from %2$s(%3$s) as r;$sql$,
                      s.side, reaches, variables), '' order by i) filter (where reaches is not null), '') as notes_further
      from f, s
), p as (
    -- A statement fires the triggers of the table it names: those of a partition, where it names one. Nothing fires twice.
    select 0 as i, s.source as name from s
    union all
    select o::integer, x from s, jsonb_array_elements_text(s.partitions) with ordinality as a (x, o)
)
select 0, format('statements of %s in crmshift.capture', s.source),
       format('insert into crmshift.capture select * from crmshift.capture_of(%L)', s.schema || '.' || s.name)
  from s
union all
select 1, format('crmshift.sync_from_%s', s.name), format($sql$create or replace function crmshift.%1$I(%2$s, op text, raising boolean) returns bigint
language plpgsql
as $sync$
-- Bring everything up to date that reads these rows of %3$s. A failure never reaches the caller (unless it asked for it):
-- the batch is halved until the bad keys stand alone, and those are queued. Returns how many were queued.
declare
%4$s    half integer := cardinality($1) / 2;
    -- Once a lock was not to be had, the rest must not wait for theirs one by one: when this is over, it is queued unseen.
    out_of_time boolean := clock_timestamp() > to_timestamp(nullif(current_setting('crmshift.deadline', true), '')::float8);
    state text := '55P03'; why text := 'no time left to wait for locks'; violated text; in_table text; in_column text;
    waiting boolean; deferring boolean;
    said text;
begin
    if out_of_time is not true then
        begin
            said := set_config('crmshift.depth', pg_trigger_depth()::text, true);%11$s
%5$s
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', '', true);
            end if;
%6$s
            if current_setting('transaction_isolation') <> 'read committed' then
                perform crmshift.refuse_old_snapshot();
            end if;
            -- A write of the other side to one of these very rows may wait in the queue. Seen now, with the rows written
            -- and therefore locked: it is not overwritten unseen, both wait to be settled together.
            select exists (select from crmshift.sync_queue),
                   exists (select from pg_catalog.pg_trigger as t
                            where t.tgrelid in (%15$s) and t.tgdeferrable and t.tgname not like 'crmshift\_%%')
              into waiting, deferring;
            if waiting then
                if exists (select from generate_subscripts($1, 1) as i join crmshift.sync_queue as q on (%10$s)
                            where q.side = %12$L and q.reason not in ('nested', 'parent')) then
                    raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
                end if;
            end if;%13$s
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle_nested();
            end if;
            if deferring then
                perform crmshift.try_deferred(array[%15$s]);
            end if;
            said := set_config('crmshift.depth', '', true);
            return 0;
        exception when others then
            get stacked diagnostics state = returned_sqlstate, why = message_text, violated = constraint_name,
                                    in_table = table_name, in_column = column_name;
            if raising and state not in ('SH010', 'SH012') then
                raise;
            end if;
        end;
        if state in ('55P03', '40P01') and coalesce(current_setting('crmshift.deadline', true), '') = '' then
            perform set_config('crmshift.deadline', (extract(epoch from clock_timestamp()) + 0.25)::text, true);
            perform set_config('lock_timeout', '10ms', true);  -- the full wait was spent above
        end if;
        if half > 0 then
            return crmshift.%1$I(%8$s, op, raising) + crmshift.%1$I(%9$s, op, raising);
        end if;
    end if;
    insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message, constraint_name, table_name, column_name)
    select distinct q.subject, q.key, %14$L, case when q.reason is null then lower(op) else 'update' end,
           coalesce(q.reason, case when state in ('SH010', 'SH012') then 'held' else 'failed' end), state, why,
           nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
      from generate_subscripts($1, 1) as i, lateral (values %7$s) as q (subject, key, reason);%16$s
    return cardinality($1);
end
$sync$$sql$, 'sync_from_' || s.name, k.parameters, s.source, calls.declared, calls.writes, calls.removals, about.queued,
       k.first_half, k.second_half, about.outstanding, calls.before_insert, s.other_side, calls.notes_reached, s.side, s.writes,
       calls.queues_reached)
  from s, k, calls, about
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
    one record;
    same_key boolean;
    later boolean := false;
    raising boolean := false;
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
        select %19$s, (%20$s) is distinct from (%21$s) as differs, not exists (select from changed offset 1) as alone
          into one from changed as n, was as w;
        if one.alone and one.differs then
            same_key := (%22$s) is not distinct from (%23$s);
            %24$s
        elsif not one.alone then
            select %6$s into %7$s from (
                select distinct %8$s from (
                    (select %9$s from changed except all select %9$s from was)
                    union all
                    (select %9$s from was except all select %9$s from changed)) as y) as x;
        end if;
    end if;
    if k1 is null and tg_op <> 'TRUNCATE' then
        return null;
    end if;
    if depth is not null and tg_op <> 'TRUNCATE' then  -- inside a sync; settled before it ends
        if pg_trigger_depth() = depth + 1 then  -- a cascade of the writer's own statement: these rows are made out anew, from the other side
            insert into crmshift.sync_queue (subject, key, side, reason)
            select q.subject, q.key, %14$L, 'nested' from generate_subscripts(k1, 1) as i, lateral (values %11$s) as q (subject, key);
        else  -- a trigger of the application wrote here, and is followed to the other side
            execute (select c.nesting from crmshift.capture as c where c.source = %13$L and c.operation = tg_op);
        end if;%15$s
        perform set_config('crmshift.noted', 'yes', true);
        return null;
    end if;
    if current_setting('transaction_isolation') <> 'read committed'
       or exists (select from crmshift.sync_control as c
                   where c.entity in (%16$s) and (c.paused or c.mode = 'queued' or c.on_error = 'raise')) then
        select coalesce(bool_or(c.paused or c.mode = 'queued') filter (where c.entity in (%16$s)), false)
               -- A transaction that goes on looking at an old snapshot cannot see whether the sync was paused since.
               or current_setting('transaction_isolation') <> 'read committed'
                  and coalesce(max(c.epoch), 0) < (select e.last_value from crmshift.sync_epoch as e),
               coalesce(bool_or(c.on_error = 'raise') filter (where c.entity in (%16$s)), false)
          into later, raising from crmshift.sync_control as c;
    end if;
    if tg_op <> 'TRUNCATE' and current_setting('crmshift.follows', true) = %14$L then  -- earlier in this transaction, perhaps in this very statement
        execute (select c.overtaken from crmshift.capture as c where c.source = %13$L and c.operation = tg_op);
    end if;
    if later and tg_op = 'TRUNCATE' then
        insert into crmshift.sync_queue (subject, key, side, op, reason) select q.subject, '{}', %10$L, 'truncate', 'paused' from (values %17$s) as q (subject);
    elsif later then
        execute (select c.queueing from crmshift.capture as c where c.source = %13$L and c.operation = tg_op);%18$s
    elsif tg_op = 'TRUNCATE' then
        perform crmshift.after_truncate(%10$L, raising);
    else
        if cardinality(k1) > 100 then  -- many keys need a plan for many keys: the generic one could take the square of their number
            perform set_config('plan_cache_mode', 'force_custom_plan', true);
        end if;
        perform set_config('crmshift.follows', %10$L, true);
        queued := crmshift.%12$I(%7$s, tg_op, raising);
        if current_setting('crmshift.deadline', true) <> '' then
            perform set_config('crmshift.deadline', '', true);
        end if;
        if queued > 0 then
            execute (select c.noting from crmshift.capture as c where c.source = %13$L and c.operation = tg_op);
            perform crmshift.settle_held();
        end if;
    end if;
    return null;
end
$trigger$$sql$, 'tg_' || s.name, s.schema, s.lock_timeout, s.source, k.declared, k.collected, k.variables, k.columns, r.reads,
       s.side, about.noted, 'sync_from_' || s.name, s.schema || '.' || s.name, s.other_side,
       calls.notes_further, s.entities, (select string_agg(format('(%L)', subject), ', ') from u where mode = 'sync'), calls.pauses_reached,
       k.both, r.n_reads, r.w_reads, k.new_keys, k.old_keys, k.taken)
  from s, k, r, calls, about
union all
select 4 * p.i + e.i, format('trigger crmshift_sync_%s on %s', e.event, p.name), format($sql$create trigger crmshift_sync_%1$s
after %1$s on %2$s%3$s
for each statement execute function crmshift.%4$I()$sql$, e.event, p.name, e.transition_tables, 'tg_' || s.name)
  from s, p,
       (values (3, 'insert', ' referencing new table as changed'), (4, 'update', ' referencing old table as was new table as changed'),
               (5, 'delete', ' referencing old table as was'), (6, 'truncate', '')) as e (i, event, transition_tables)
$derive$;
comment on function crmshift.trigger_statements(jsonb) is 'How writes on a table reach the writers, derived from its description: sync_from_<table>, tg_<table> and the four triggers, on the table and on the partitions that the description lists.';

create function crmshift.partitions_of(source text) returns table (name text)
language sql stable
as $partitions$
select format('%I.%I', n.nspname, c.relname)
  from pg_catalog.pg_partition_tree(to_regclass($1)) as p
  join pg_catalog.pg_class as c on c.oid = p.relid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where p.level > 0 and c.relkind <> 'f'  -- a foreign table can have no transition tables
 order by 1
$partitions$;
comment on function crmshift.partitions_of(text) is 'Partitions of a table, and theirs, that can have the triggers; none where it is not partitioned.';

create function crmshift.attach_partition(partition regclass) returns integer
language plpgsql
as $$
-- What the step attach would have put on this partition and those below it, had they been there. Asked again, it finds nothing to do.
declare
    root regclass := coalesce(pg_catalog.pg_partition_root(partition), partition);
    of_table text := (select min(f.source) from crmshift.feed as f where to_regclass(f.source) = root);
    one record;
    created integer := 0;
begin
    if of_table is null then
        raise exception 'The table % is no partition of a mapped table.', partition
            using errcode = 'SH001', hint = 'select distinct source from crmshift.feed lists the mapped tables.';
    end if;
    for one in
        select d.statement, l.name, l.trigger, w.tgenabled,
               coalesce((select min(i.step) from crmshift.installed as i
                          where i.kind = 'trigger' and to_regclass(i.subject) = root and i.name = l.trigger), 'accepted') as step
          from crmshift.trigger_statements(crmshift.describe_source(of_table) || jsonb_build_object(
                   'partitions', (select coalesce(jsonb_agg(p.name), '[]') from crmshift.partitions_of(of_table) as p))) as d
          join (select p.name, n.trigger, format('trigger %s on %s', n.trigger, p.name) as object
                  from crmshift.partitions_of(of_table) as p
                 cross join (values ('crmshift_sync_insert'), ('crmshift_sync_update'), ('crmshift_sync_delete'), ('crmshift_sync_truncate')) as n (trigger)
                 where to_regclass(p.name) in (select b.relid from pg_catalog.pg_partition_tree(partition) as b)
                   and not exists (select from pg_catalog.pg_trigger as t where t.tgrelid = to_regclass(p.name) and t.tgname = n.trigger)) as l using (object)
          left join pg_catalog.pg_trigger as w on w.tgrelid = root and w.tgname = l.trigger
         order by d.ordinal
    loop
        execute one.statement;
        if one.tgenabled = 'A' then  -- as the table's: fires: always
            execute format('alter table %s enable always trigger %I', one.name, one.trigger);
        end if;
        perform crmshift.accept_object('trigger', one.name, one.trigger, one.step);
        created := created + 1;
    end loop;
    -- Those of the table fire for sessions that play a replica, where the plan says so.
    for one in
        select p.name, c.tgname
          from crmshift.partitions_of(of_table) as p
          join pg_catalog.pg_trigger as c on c.tgrelid = to_regclass(p.name) and c.tgname like 'crmshift\_sync\_%' and c.tgenabled <> 'A'
          join pg_catalog.pg_trigger as t on t.tgrelid = root and t.tgname = c.tgname and t.tgenabled = 'A'
    loop
        execute format('alter table %s enable always trigger %I', one.name, one.tgname);
        perform crmshift.accept_object('trigger', one.name, one.tgname);
    end loop;
    return created;
end
$$;
comment on function crmshift.attach_partition(regclass) is 'Create the sync triggers that a partition made since lacks, or all partitions of the table that is named; returns how many. select crmshift.attach_partition(''public.contacts_2027'').';
