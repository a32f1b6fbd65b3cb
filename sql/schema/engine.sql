-- What the derived functions share: handing keys to a writer by name, settling what triggers did inside a sync,
-- and draining the queue. None of it knows any table.

create function crmshift.is_syncing() returns boolean
language sql stable
as $$ select nullif(current_setting('crmshift.depth', true), '') is not null $$;
comment on function crmshift.is_syncing() is 'True inside a sync or backfill. For your own triggers: do not send a reminder, mail or webhook for a row that only moved.';

create function crmshift.call_writer(verb text, of_mapping text, keys jsonb) returns bigint
language plpgsql
as $$
-- Call fill_, sync_ or remove_<mapping> with keys given as a json array of objects.
declare
    m crmshift.mapping;
    result bigint;
begin
    select * into m from crmshift.mapping where name = of_mapping;
    if not found then
        raise exception 'There is no mapping named %.', of_mapping
            using errcode = 'SH001', hint = 'select name from crmshift.mapping lists them.';
    end if;
    if jsonb_typeof(keys) <> 'array' or exists (select from jsonb_array_elements(keys) as k where not k ?& m.key) then
        raise exception 'Keys of the mapping % are an array of objects with %.', of_mapping, array_to_string(m.key, ', ')
            using errcode = 'SH004', hint = format('For example [{%s}].', (select string_agg(format('"%s": …', k), ', ') from unnest(m.key) as k));
    end if;
    execute format('select crmshift.%I(%s)', verb || '_' || m.name,
                   (select string_agg(format('array(select (k ->> %L)::%s from jsonb_array_elements($1) as k)', c, t), ', ' order by i)
                      from unnest(m.key, m.key_types) with ordinality as u (c, t, i)))
       into result using keys;
    return result;
end
$$;
comment on function crmshift.call_writer(text, text, jsonb) is 'Call fill_, sync_ or remove_<mapping> with keys given as a json array of objects.';

create function crmshift.lock_sources(of_mapping text, keys jsonb) returns void
language plpgsql
as $$
-- Hold the rows a mapping reads for these keys, so that what is read in the next statement cannot be overtaken.
-- FOR SHARE, because the keys are few and the rows of the other side will be overwritten.
declare
    f record;
begin
    for f in select feed.source, feed.key as columns, m.key, m.key_types
               from crmshift.feed join crmshift.mapping as m on m.name = feed.mapping
              where feed.mapping = of_mapping and feed.mode = 'sync' order by feed.source loop
        execute format('select 1 from %s as s where (%s) in (select %s from jsonb_array_elements($1) as k) order by %s for share of s',
                       f.source::regclass,
                       (select string_agg(format('s.%I', c), ', ' order by i) from unnest(f.columns) with ordinality as u (c, i)),
                       (select string_agg(format('(k ->> %L)::%s', c, t), ', ' order by i) from unnest(f.key, f.key_types) with ordinality as u (c, t, i)),
                       (select string_agg(format('s.%I', c), ', ' order by i) from unnest(f.columns) with ordinality as u (c, i)))
          using keys;
    end loop;
end
$$;
comment on function crmshift.lock_sources(text, jsonb) is 'Hold the rows a mapping reads for these keys until the transaction ends.';

create function crmshift.ensure_parents(of_mapping text, keys jsonb) returns void
language plpgsql
as $$
-- What the derived sync_from_<table> does before it writes a row, for keys that come from a repair, a drain or a
-- trigger inside a sync: call what the feeds prepare, and make sure that the rows exist which these depend on.
declare
    f record;
    p record;
    parent_keys jsonb;
begin
    for f in select feed.source, feed.key as columns, feed.prepare, m.key, m.key_types, m.direction
               from crmshift.feed join crmshift.mapping as m on m.name = feed.mapping
              where feed.mapping = of_mapping and feed.mode = 'sync' order by feed.source loop
        if f.prepare is not null then
            execute format('select %s(%s)', f.prepare,
                           (select string_agg(format('array(select (k ->> %L)::%s from jsonb_array_elements($1) as k)', c, t), ', ' order by i)
                              from unnest(f.key, f.key_types) with ordinality as u (c, t, i)))
              using keys;
        end if;
        for p in select feed.mapping, feed.key as columns, m.key
                   from crmshift.feed join crmshift.mapping as m on m.name = feed.mapping
                  where feed.source = f.source and feed.mode = 'fill' and m.direction = f.direction order by m.position loop
            execute format('select jsonb_agg(distinct jsonb_build_object(%s)) from %s as s where (%s) in (select %s from jsonb_array_elements($1) as k)',
                           (select string_agg(format('%L, s.%I', k, c), ', ' order by i) from unnest(p.key, p.columns) with ordinality as u (k, c, i)),
                           f.source::regclass,
                           (select string_agg(format('s.%I', c), ', ' order by i) from unnest(f.columns) with ordinality as u (c, i)),
                           (select string_agg(format('(k ->> %L)::%s', c, t), ', ' order by i) from unnest(f.key, f.key_types) with ordinality as u (c, t, i)))
               into parent_keys using keys;
            if parent_keys is not null then
                perform crmshift.call_writer('fill', p.mapping, parent_keys);
            end if;
        end loop;
    end loop;
end
$$;
comment on function crmshift.ensure_parents(text, jsonb) is 'Make sure that the rows exist which these keys of a mapping depend on.';

create function crmshift.sync_rows(of_mappings text[], keys jsonb[], settling boolean default false) returns void
language plpgsql
as $$
-- Bring keys of several mappings, given parents first, up to date, whatever the state of either side: rows are written
-- parents first and removed children first. Raises when it cannot, or when a queued write of the other side would be
-- overwritten; unless it is called to settle just those.
declare
    before text := coalesce(current_setting('crmshift.depth', true), '');
begin
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    for i in 1 .. cardinality(of_mappings) loop
        perform crmshift.lock_sources(of_mappings[i], keys[i]);
        perform crmshift.ensure_parents(of_mappings[i], keys[i]);
        perform crmshift.call_writer('sync', of_mappings[i], keys[i]);
    end loop;
    for i in reverse cardinality(of_mappings) .. 1 loop
        perform crmshift.call_writer('remove', of_mappings[i], keys[i]);
    end loop;
    if not settling and exists (select from crmshift.sync_queue)
       and exists (select from unnest(of_mappings, keys) as w (mapping, keys) cross join jsonb_array_elements(w.keys) as k (key)
                     join crmshift.mapping as m on m.name = w.mapping
                     join crmshift.outstanding as o on o.mapping_of = w.mapping and o.key_of = k.key
                     join crmshift.sync_queue as q on q.id = o.id
                    where o.written_to <> m.direction and q.reason not in ('nested', 'parent')) then
        raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
    end if;
    if before = '' and current_setting('crmshift.noted', true) = 'yes' then
        perform crmshift.settle();
    end if;
    perform set_config('crmshift.depth', before, true);
end
$$;
comment on function crmshift.sync_rows(text[], jsonb[], boolean) is 'Bring keys of several mappings, given parents first, up to date. Raises when it cannot.';

create function crmshift.sync_keys(of_mapping text, keys jsonb) returns void
language sql
as $$ select crmshift.sync_rows(array[of_mapping], array[keys]) $$;
comment on function crmshift.sync_keys(text, jsonb) is 'Bring keys of one mapping up to date: select crmshift.sync_keys(''customers'', ''[{"cst_id": "…"}]''). Raises when it cannot.';

create function crmshift.settle() returns void
language plpgsql
as $$
-- Triggers of the application wrote mapped rows while a sync was under way. Now that the sync has written
-- all it had to, those rows are synced in turn; three passes, then the keys wait in the queue.
declare
    r record;
begin
    for pass in 1 .. 3 loop
        perform set_config('crmshift.noted', '', true);
        for r in with taken as (
                     delete from crmshift.sync_queue where txid = pg_current_xact_id() and reason = 'nested' returning mapping, key
                 )
                 select taken.mapping, jsonb_agg(distinct taken.key) as keys
                   from taken join crmshift.mapping as m on m.name = taken.mapping
                  group by taken.mapping, m.position order by m.position loop
            perform crmshift.sync_keys(r.mapping, r.keys);
        end loop;
        if coalesce(current_setting('crmshift.noted', true), '') = '' then
            return;
        end if;
    end loop;
    update crmshift.sync_queue set reason = 'not_converged' where txid = pg_current_xact_id() and reason = 'nested';
    perform set_config('crmshift.noted', '', true);
end
$$;
comment on function crmshift.settle() is 'Sync what triggers wrote inside a sync; called by the sync itself.';

create function crmshift.sync_or_queue(of_mapping text, keys jsonb, verb text default 'sync') returns bigint
language plpgsql
as $$
-- Sync (or only fill) these keys; on failure halve them until the bad ones stand alone, and queue those. Once a lock was
-- not to be had, the rest waits only shortly, and when the time is over it is queued unseen.
declare
    n integer := jsonb_array_length(keys);
    before text := coalesce(current_setting('crmshift.depth', true), '');
    first boolean := coalesce(current_setting('crmshift.deadline', true), '') = '';
    out_of_time boolean := clock_timestamp() > to_timestamp(nullif(current_setting('crmshift.deadline', true), '')::float8);
    state text := '55P03'; why text := 'no time left to wait for locks'; violated text; in_table text; in_column text;
    queued bigint;
begin
    if out_of_time is not true then
        begin
            if verb = 'fill' then
                perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
                perform crmshift.call_writer('fill', of_mapping, keys);
                if before = '' and current_setting('crmshift.noted', true) = 'yes' then
                    perform crmshift.settle();
                end if;
                perform set_config('crmshift.depth', before, true);
            else
                perform crmshift.sync_keys(of_mapping, keys);
            end if;
            return 0;
        exception when others then
            get stacked diagnostics state = returned_sqlstate, why = message_text, violated = constraint_name,
                                    in_table = table_name, in_column = column_name;
        end;
        if state in ('55P03', '40P01') and first then
            perform set_config('crmshift.deadline', (extract(epoch from clock_timestamp()) + 0.25)::text, true);
            perform set_config('lock_timeout', '10ms', true);
        end if;
        if n > 1 then
            queued := crmshift.sync_or_queue(of_mapping, (select jsonb_agg(k) from jsonb_array_elements(keys) with ordinality as u (k, i) where i <= n / 2), verb)
                    + crmshift.sync_or_queue(of_mapping, (select jsonb_agg(k) from jsonb_array_elements(keys) with ordinality as u (k, i) where i > n / 2), verb);
        end if;
    end if;
    if queued is null then
        insert into crmshift.sync_queue (mapping, key, reason, sqlstate, message, constraint_name, table_name, column_name)
        select of_mapping, k, 'failed', state, why, nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
          from jsonb_array_elements(keys) as k;
        queued := n;
    end if;
    if first then
        perform set_config('crmshift.deadline', '', true);
    end if;
    return queued;
end
$$;
comment on function crmshift.sync_or_queue(text, jsonb, text) is 'Sync keys of one mapping; those that fail are queued. Returns how many were queued.';

create function crmshift.drift(of_mapping text, of_workspace uuid default null)
returns table (key jsonb, kind text, columns text[])
language plpgsql stable
as $$
begin
    return query execute format('select d.key, d.kind, d.columns from crmshift.%I($1) as d', 'drift_' || of_mapping) using of_workspace;
end
$$;
comment on function crmshift.drift(text, uuid) is 'Where a table differs from its mapping: key, kind (missing, extra, differs) and the columns that differ.';

create function crmshift.after_truncate(of_direction text) returns void
language plpgsql
as $$
-- A truncated table leaves no keys to follow: whatever its side no longer speaks of is taken from the other, children first.
-- But what has not moved yet the target never spoke of: until the backfill is complete, truncating it takes nothing from legacy.
declare
    m record;
    keys jsonb;
begin
    if of_direction = 'to_legacy' and exists (select from crmshift.check_backfill_complete()) then
        return;
    end if;
    for m in select name from crmshift.mapping where direction = of_direction order by position desc loop
        select jsonb_agg(d.key) into keys from crmshift.drift(m.name) as d where d.kind <> 'missing';
        if keys is not null then
            perform crmshift.sync_or_queue(m.name, keys);
            perform set_config('lock_timeout', '10ms', true);  -- one table may have spent the wait
        end if;
    end loop;
end
$$;
comment on function crmshift.after_truncate(text) is 'Follow a TRUNCATE to the other side.';

create function crmshift.note_changes(of_source text, new_rows jsonb[], old_rows jsonb[]) returns void
language plpgsql
as $$
-- Give the keys this transaction just queued the old and new values of the mapped columns that the write changed.
declare
    identity text[] := array(select a.attname from pg_catalog.pg_index as i
                               join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
                              where i.indrelid = of_source::regclass and i.indisprimary);
begin
    with pair as (
        select o, n
          from (select o, (select jsonb_object_agg(c, o -> c) from unnest(identity) as c) as id from unnest(old_rows) as o) as was
          full join (select n, (select jsonb_object_agg(c, n -> c) from unnest(identity) as c) as id from unnest(new_rows) as n) as new
            on was.id = new.id
    ), change as (
        select f.mapping,
               (select jsonb_object_agg(k, coalesce(n, o) -> c) from unnest(m.key, f.key) as u (k, c)) as key,
               jsonb_object_agg(r.column_name, jsonb_build_array(o -> r.column_name, n -> r.column_name)) as changed
          from pair
          join crmshift.feed as f on f.source = of_source and f.mode = 'sync'
          join crmshift.mapping as m on m.name = f.mapping
          join crmshift.mapping_reads as r on r.mapping = f.mapping and r.source = of_source
         where (o -> r.column_name) is distinct from (n -> r.column_name)
         group by 1, 2
    )
    update crmshift.sync_queue as q set changed = c.changed
      from change as c
     where q.txid = pg_current_xact_id() and q.reason in ('failed', 'held') and q.changed is null and q.mapping = c.mapping and q.key = c.key;
end
$$;
comment on function crmshift.note_changes(text, jsonb[], jsonb[]) is 'Record in the queue what the write that failed to sync had changed.';

create view crmshift.outstanding as
select q.id, q.mapping, q.key, m.direction as written_to, q.mapping as mapping_of, q.key as key_of
  from crmshift.sync_queue as q join crmshift.mapping as m on m.name = q.mapping
union all
select q.id, q.mapping, q.key, m.direction, other.name,
       (select jsonb_object_agg(k, q.key -> c) from unnest(other.key, f.key) as u (k, c))
  from crmshift.sync_queue as q
  join crmshift.mapping as m on m.name = q.mapping
  join crmshift.feed as f on f.source = m.target and f.mode = 'sync'
  join crmshift.mapping as other on other.name = f.mapping;
comment on view crmshift.outstanding is 'Every row, of either side, that need not agree because a key of the sync queue concerns it: by mapping_of and key_of.';

create view crmshift.queued as
select q.*, o.written_to as direction, o.mapping_of as subject, o.key_of as subject_key, l.position
  from crmshift.sync_queue as q
  join crmshift.outstanding as o on o.id = q.id
  join crmshift.mapping as l on l.name = o.mapping_of and l.direction = 'to_legacy';
comment on view crmshift.queued is 'The sync queue by what it is about: the legacy table and key whose two sides may be apart.';

create function crmshift.merge(subject text, subject_key jsonb, ids bigint[], later text)
returns table (winner text, losing jsonb)
language plpgsql
as $$
-- Both sides wrote one row while they could not agree. The legacy row takes what the target changed, and keeps what it
-- changed itself; a column both changed goes to the later write. Returns what was lost that way. The other side then
-- follows from the merged row.
declare
    l crmshift.mapping;
    is_key text;
    here jsonb;
    there jsonb;
    changed jsonb;
    merged jsonb := '{}';
    c text;
begin
    select * into l from crmshift.mapping where name = subject;
    select string_agg(format('x.%I = ($1 ->> %L)::%s', k, k, t), ' and ') into is_key from unnest(l.key, l.key_types) as u (k, t);
    execute format('select to_jsonb(x) from %s as x where %s for no key update', l.target::regclass, is_key) into here using subject_key;
    execute format('select to_jsonb(x) from crmshift.%I as x where %s', l.name || '_expected', is_key) into there using subject_key;
    -- What legacy changed, by column: the value before its first queued write, and whether anything is known at all.
    select jsonb_object_agg(e.col, e.before) into changed
      from (select distinct on (x.col) x.col, x.pair -> 0 as before
              from crmshift.sync_queue as q, jsonb_each(q.changed) as x (col, pair)
             where q.id = any (ids) and q.mapping in (select m.name from crmshift.mapping as m where m.direction = 'to_target')
             order by x.col, q.id) as e;
    if here is null or there is null or changed is null then
        return;  -- one side has no such row: nothing to merge, the later write stands
    end if;
    for c in select a.attname from pg_catalog.pg_attribute as a
              where a.attrelid = to_regclass(format('crmshift.%I', l.name || '_expected')) and a.attnum > 0 and a.attname <> all (l.key) loop
        if not changed ? c then
            merged := merged || jsonb_build_object(c, there -> c);
        elsif there -> c = changed -> c or there -> c = here -> c then
            merged := merged || jsonb_build_object(c, here -> c);
        else
            merged := merged || jsonb_build_object(c, case later when 'to_target' then here -> c else there -> c end);
            if c <> all (l.clock) then
                winner := case later when 'to_target' then 'legacy' else 'target' end;
                losing := jsonb_build_object(c, jsonb_build_array(changed -> c, case later when 'to_target' then there -> c else here -> c end));
                return next;
            end if;
        end if;
    end loop;
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    perform set_config('crmshift.writing', l.target, true);
    execute format('update %s as x set (%s) = (select %s from jsonb_populate_record(x, $2)) where %s', l.target::regclass,
                   (select string_agg(quote_ident(k), ', ') from jsonb_object_keys(merged) as k),
                   (select string_agg(quote_ident(k), ', ') from jsonb_object_keys(merged) as k), is_key)
      using subject_key, merged;
    perform set_config('crmshift.depth', '', true);
    winner := null;  -- merged
    losing := null;
    return next;
end
$$;
comment on function crmshift.merge(text, jsonb, bigint[], text) is 'Merge a row that both sides wrote while apart; called by drain.';

create function crmshift.ensure_row(of_mapping text, of_key jsonb) returns void
language plpgsql
as $$
declare
    before text := coalesce(current_setting('crmshift.depth', true), '');
begin
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    perform crmshift.ensure_parents(of_mapping, jsonb_build_array(of_key));
    perform crmshift.call_writer('fill', of_mapping, jsonb_build_array(of_key));
    if before = '' and current_setting('crmshift.noted', true) = 'yes' then
        perform crmshift.settle();
    end if;
    perform set_config('crmshift.depth', before, true);
end
$$;
comment on function crmshift.ensure_row(text, jsonb) is 'Make sure that a row is there which its mapping speaks of; leaves it alone where it is.';

create function crmshift.lock_row(of_subject text, of_key jsonb) returns void
language plpgsql
as $$
-- Hold one row on both sides, legacy first, as writers take them. What is read or found queued in the next statement then
-- stays as it is.
declare
    r record;
begin
    for r in select l.target, null as and_only, 0 as position,
                    (select string_agg(format('t.%I = ($1 ->> %L)::%s', k, k, ty), ' and ') from unnest(l.key, l.key_types) as u (k, ty)) as is_key
               from crmshift.mapping as l where l.name = of_subject
              union all
             select m.target, ' and ' || m.only_where, m.position,
                    (select string_agg(format('t.%I = ($1 ->> %L)::%s', k, c, ty), ' and ') from unnest(m.key, f.key, m.key_types) as u (k, c, ty))
               from crmshift.mapping as l join crmshift.feed as f on f.source = l.target and f.mode = 'sync'
               join crmshift.mapping as m on m.name = f.mapping
              where l.name = of_subject
              order by position loop
        execute format('select 1 from %s as t where %s%s for no key update of t', r.target::regclass, r.is_key, coalesce(r.and_only, '')) using of_key;
    end loop;
end
$$;
comment on function crmshift.lock_row(text, jsonb) is 'Hold one row on both sides until the transaction ends, legacy first.';

create function crmshift.settle_row(of_subject text, of_key jsonb) returns integer
language plpgsql
as $$
-- Settle what is queued of one row, by state, never blindly: the queued writes say which side changed it, and that side is
-- read anew. Where both did, they are merged by column; where that cannot be, the later stands. What is lost goes to the
-- conflict log. Returns the number of conflicts; raises when the row cannot be settled yet.
declare
    r record;
    w record;
    before text := coalesce(current_setting('crmshift.depth', true), '');
    merged boolean := false;
    conflicts integer := 0;
    lost integer;
begin
    perform crmshift.lock_row(of_subject, of_key);
    select array_agg(q.id order by q.id) as ids,
           (array_agg(q.direction order by q.id desc) filter (where q.reason <> 'parent'))[1] as direction,
           count(distinct q.direction) filter (where q.reason <> 'parent') > 1 as apart
      into r from crmshift.queued as q where q.subject = of_subject and q.subject_key = of_key;
    if r.ids is null then
        return 0;
    end if;
    -- What a sync of the row would have prepared was undone with it: there must be a primary lead before the row is read.
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    perform crmshift.ensure_parents(of_subject, jsonb_build_array(of_key));
    perform set_config('crmshift.depth', before, true);
    if r.apart then
        for w in select * from crmshift.merge(of_subject, of_key, r.ids, r.direction) loop
            if w.losing is null then
                merged := true;
            else
                insert into crmshift.conflict_log (mapping, key, kind, policy, winner, losing)
                values (of_subject, of_key, 'update_origin_differs', 'last_update_wins', w.winner, w.losing);
                conflicts := conflicts + 1;
            end if;
        end loop;
        if not merged then
            insert into crmshift.conflict_log (mapping, key, kind, policy, winner, losing)
            select q.mapping, q.key, 'update_missing', 'last_update_wins',
                   case r.direction when 'to_target' then 'legacy' else 'target' end, q.changed
              from crmshift.queued as q where q.id = any (r.ids) and q.direction <> r.direction;
            get diagnostics lost = row_count;
            conflicts := conflicts + lost;
        end if;
    end if;
    if r.direction is null then
        -- Nothing of the row itself failed: make sure that it is there.
        for w in select distinct q.mapping, q.key from crmshift.sync_queue as q where q.id = any (r.ids) loop
            perform crmshift.ensure_row(w.mapping, w.key);
        end loop;
    else
        -- The keys of this row's mappings in the direction that stands: those its table feeds, or its own.
        select array_agg(s.name order by s.position) as names, array_agg(jsonb_build_array(s.key) order by s.position) as keys into w
          from (select m.name, m.position, (select jsonb_object_agg(k, of_key -> c) from unnest(m.key, f.key) as u (k, c)) as key
                  from crmshift.mapping as l join crmshift.feed as f on f.source = l.target and f.mode = 'sync'
                  join crmshift.mapping as m on m.name = f.mapping
                 where l.name = of_subject and (merged or r.direction = 'to_target')
                 union all
                select of_subject, 1, of_key where not merged and r.direction = 'to_legacy') as s;
        perform crmshift.sync_rows(w.names, w.keys, settling => true);
    end if;
    delete from crmshift.sync_queue where id = any (r.ids);
    return conflicts;
end
$$;
comment on function crmshift.settle_row(text, jsonb) is 'Settle what is queued of one row, named by its legacy mapping and key.';

create function crmshift.settle_held() returns void
language plpgsql
as $$
-- This transaction has just met rows that the other side had queued writes of, and queued its own. Now that both are
-- known they can be merged; what cannot stays queued.
declare
    r record;
begin
    for r in select distinct q.subject, q.subject_key from crmshift.queued as q
              where q.txid = pg_current_xact_id() and q.reason = 'held' loop
        begin
            perform crmshift.settle_row(r.subject, r.subject_key);
        exception when others then
            null;  -- it stays queued
        end;
    end loop;
end
$$;
comment on function crmshift.settle_held() is 'Merge at once what this transaction held back; called by the triggers.';

create function crmshift.drain(most integer default 500)
returns table (settled bigint, failed bigint, conflicts bigint)
language plpgsql
as $$
declare
    r record;
    state text;
begin
    settled := 0;
    failed := 0;
    conflicts := 0;
    for r in select q.subject, q.subject_key, array_agg(q.id) as ids
               from crmshift.queued as q
              group by q.subject, q.subject_key, q.position order by min(q.attempts), q.position, min(q.id) limit most loop
        begin
            conflicts := conflicts + crmshift.settle_row(r.subject, r.subject_key);
            settled := settled + 1;
        exception when others then
            get stacked diagnostics state = returned_sqlstate;
            update crmshift.sync_queue set attempts = attempts + 1, sqlstate = state where id = any (r.ids);
            failed := failed + 1;
        end;
    end loop;
    return next;
end
$$;
comment on function crmshift.drain(integer) is 'Settle queued rows; returns how many were settled, failed again, and were conflicts.';
