-- All that is in a database with the legacy reference schema after every phase of plans/lead_centric.yaml,
-- as pg_dump of PostgreSQL 18 writes it. Made by tests/database/test_golden_schema.py; not to be edited by hand.

-- Name: crmshift; Type: SCHEMA

CREATE SCHEMA crmshift;

-- Name: SCHEMA crmshift; Type: COMMENT

COMMENT ON SCHEMA crmshift IS 'Everything crmshift keeps in this database. Removed by: crmshift rollback --to legacy.';

-- Name: accept_object(text, text, text, text); Type: FUNCTION

CREATE FUNCTION crmshift.accept_object(of_kind text, of_subject text, of_name text DEFAULT ''::text, of_step text DEFAULT 'accepted'::text) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- What is there now is right; so it is to be gone, where it is gone.
declare
    now_is text := (select o.definition from crmshift.objects(array[of_kind]) as o where o.subject = of_subject and o.name = of_name);
begin
    if now_is is null then
        delete from crmshift.installed as i where (i.kind, i.subject, i.name) = (of_kind, of_subject, of_name);
    else
        update crmshift.installed as i
           set definition = now_is, server = current_setting('server_version_num')::integer / 10000, at = clock_timestamp()
         where (i.kind, i.subject, i.name) = (of_kind, of_subject, of_name);
    end if;
    if not found and now_is is null then
        raise exception 'There is no % % that could be accepted.', of_kind, concat_ws(' of ', nullif(of_name, ''), of_subject)
            using errcode = 'SH001', hint = 'select kind, subject, name from crmshift.installed lists what is recorded.';
    elsif not found then
        insert into crmshift.installed (step, kind, subject, name, definition) values (of_step, of_kind, of_subject, of_name, now_is);
    end if;
end
$$;

-- Name: FUNCTION accept_object(of_kind text, of_subject text, of_name text, of_step text); Type: COMMENT

COMMENT ON FUNCTION crmshift.accept_object(of_kind text, of_subject text, of_name text, of_step text) IS 'An object that was changed, dropped or added since is meant to be so: select crmshift.accept_object(''index'', ''public.leads'', ''leads_stage_idx'').';

-- Name: after_truncate(text, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.after_truncate(written text, raising boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- A truncated table leaves no keys to follow: whatever its side no longer speaks of is taken from the other, children first.
-- But what has not moved yet the target never spoke of: until the backfill is complete, truncating it takes nothing from legacy.
declare
    m record;
    f record;
    k record;
begin
    if written = 'target' and exists (select from crmshift.check_backfill_complete()) then
        return;
    end if;
    for m in select name, key, target from crmshift.mapping where direction = case written when 'legacy' then 'to_target' else 'to_legacy' end
              order by position desc loop
        begin
            -- What a writer of this table is prepared by may take away rows that no mapping speaks of just now.
            for f in select feed.source, feed.key as columns, feed.prepare from crmshift.feed
                      where feed.mapping = m.name and feed.mode = 'sync' and feed.prepare is not null loop
                execute (select format('select %s(%s) from %s as t where not exists (select from %s) having count(*) > 0', f.prepare,
                                       string_agg(format('array_agg(t.%I)', c), ', ' order by array_position(m.key, c)),
                                       m.target::regclass, f.source::regclass)
                           from unnest(m.key) as c);
            end loop;
            for k in select case d.kind when 'extra' then 'delete' else 'update' end as op, jsonb_agg(d.key) as keys
                       from crmshift.drift(m.name) as d where d.kind <> 'missing' group by 1 loop
                if raising then
                    perform crmshift.sync_keys(m.name, k.keys);
                else
                    perform crmshift.sync_or_queue(m.name, k.keys, op => k.op);
                    perform set_config('lock_timeout', '10ms', true);  -- one table may have spent the wait
                end if;
            end loop;
        exception when others then
            if raising then
                raise;
            end if;
            insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message)
            select s.subject, '{}', written, 'truncate', 'failed', sqlstate, sqlerrm
              from crmshift.mapping_subject as s where s.mapping = m.name;
        end;
    end loop;
end
$$;

-- Name: FUNCTION after_truncate(written text, raising boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.after_truncate(written text, raising boolean) IS 'Follow a TRUNCATE to the other side.';

-- Name: altered(text[]); Type: FUNCTION

CREATE FUNCTION crmshift.altered(kinds text[]) RETURNS TABLE(kind text, subject text, name text, detail text)
    LANGUAGE sql STABLE
    AS $_$
select i.kind, i.subject, i.name,
       case when o.kind is null then format('%s is gone', i.kind)
            else format('%s is not as %s made it', i.kind, i.step)
                 || case when i.server <> current_setting('server_version_num')::integer / 10000
                         then format('; that was under PostgreSQL %s, which may only have worded it otherwise', i.server) else '' end end
  from (select distinct on (kind, subject, name) * from crmshift.installed
         where kind = any ($1) order by kind, subject, name, at desc) as i
  left join crmshift.objects($1) as o using (kind, subject, name)
 -- What stood on a table that is gone went with it: a partition may go, and of any other table check_schema_unaltered says it.
 where o.kind is null and (i.name = '' or to_regclass(i.subject) is not null)
    -- A trigger that also fires for sessions that play a replica does all that it was made for.
    or o.definition <> i.definition and not (i.kind = 'trigger' and starts_with(o.definition, i.definition || '; '))
$_$;

-- Name: FUNCTION altered(kinds text[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.altered(kinds text[]) IS 'Recorded objects of these kinds that are gone, or are not as they were made.';

-- Name: appointments_of_leads(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.appointments_of_leads(customer_ids uuid[]) RETURNS TABLE(subject text, key jsonb)
    LANGUAGE sql STABLE
    AS $_$
-- A write on leads can change which appointments legacy sees: those of a lead that became primary, that is so no more, or
-- that went to another customer. While none is primary it goes on seeing those it sees.
select 'appointments', jsonb_build_object('id', a.id)
  from unnest($1) as k (id)
  join public.leads as l on l.customer_id = k.id
  join public.lead_appointments as a on a.workspace_id = l.workspace_id and a.lead_id = l.id
 where case when l.is_primary then not exists (select from public.appointments as o where o.id = a.id and o.contact_id = l.customer_id)
            else exists (select from public.appointments as o where o.id = a.id)
                 and exists (select from public.leads as p where p.customer_id = l.customer_id and p.is_primary) end
$_$;

-- Name: FUNCTION appointments_of_leads(customer_ids uuid[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.appointments_of_leads(customer_ids uuid[]) IS 'Appointments that legacy now sees and did not before, sees no more, or sees with another contact, after leads of these customers were written.';

-- Name: archive_appointment_fields(bigint[]); Type: FUNCTION

CREATE FUNCTION crmshift.archive_appointment_fields(appointment_ids bigint[]) RETURNS void
    LANGUAGE sql
    AS $$
with gone as (delete from public.appointment_custom_fields where appointment_id = any (appointment_ids) returning *)
insert into crmshift.archive (table_name, key, row_data, reason)
select 'public.appointment_custom_fields', jsonb_build_object('appointment_id', appointment_id, 'field_id', field_id), to_jsonb(gone), 'appointment deleted in legacy' from gone
$$;

-- Name: FUNCTION archive_appointment_fields(appointment_ids bigint[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.archive_appointment_fields(appointment_ids bigint[]) IS 'Move the custom fields of these appointments to crmshift.archive.';

-- Name: archive_customers(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.archive_customers(customer_ids uuid[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    perform crmshift.archive_lead(customer_ids);  -- leads without a primary one among them are still there
    insert into crmshift.archive (table_name, key, row_data, reason)
    select 'public.customers', jsonb_build_object('cst_id', c.cst_id), to_jsonb(c), 'contact deleted in legacy'
      from public.customers as c
     where c.cst_id = any (customer_ids) and c.address2 is not null;
end
$$;

-- Name: FUNCTION archive_customers(customer_ids uuid[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.archive_customers(customer_ids uuid[]) IS 'Keep in crmshift.archive what these customers and their leads hold and legacy cannot.';

-- Name: archive_lead(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.archive_lead(customer_ids uuid[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- Before the primary lead of a deleted contact goes: keep what legacy never had. What stands in the way of the delete is
-- moved to the archive; of the primary lead itself, whose own facts legacy had, a copy goes there where it held more.
declare
    all_leads uuid[] := array(select id from public.leads where customer_id = any (customer_ids));
    second_leads uuid[] := array(select id from public.leads where customer_id = any (customer_ids) and not is_primary);
    all_appointments bigint[] := array(select a.id from public.leads as l join public.lead_appointments as a
                                           on a.workspace_id = l.workspace_id and a.lead_id = l.id where l.customer_id = any (customer_ids));
begin
    insert into crmshift.archive (table_name, key, row_data, reason)
    select 'public.leads', jsonb_build_object('id', l.id), to_jsonb(l), 'contact deleted in legacy'
      from public.leads as l
     where l.is_primary and l.customer_id = any (customer_ids)
       and exists (select from crmshift.beyond_legacy as b
                    where b.customer_id = any (customer_ids) and b.customer_id = l.customer_id and b.table_name = 'public.leads' and b.column_name is not null);
    perform crmshift.archive_appointment_fields(all_appointments);
    with gone as (delete from public.lead_appointments where id = any (all_appointments) and lead_id = any (second_leads) returning *)
    insert into crmshift.archive (table_name, key, row_data, reason)
    select 'public.lead_appointments', jsonb_build_object('id', id), to_jsonb(gone), 'contact deleted in legacy' from gone;
    with gone as (delete from public.lead_custom_fields where lead_id = any (all_leads) returning *)
    insert into crmshift.archive (table_name, key, row_data, reason)
    select 'public.lead_custom_fields', jsonb_build_object('lead_id', lead_id, 'field_id', field_id), to_jsonb(gone), 'contact deleted in legacy' from gone;
    with gone as (delete from public.leads where id = any (second_leads) returning *)
    insert into crmshift.archive (table_name, key, row_data, reason)
    select 'public.leads', jsonb_build_object('id', id), to_jsonb(gone), 'contact deleted in legacy' from gone;
end
$$;

-- Name: FUNCTION archive_lead(customer_ids uuid[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.archive_lead(customer_ids uuid[]) IS 'Keep in crmshift.archive what hangs on the leads of these customers and legacy cannot hold.';

-- Name: attach_partition(regclass); Type: FUNCTION

CREATE FUNCTION crmshift.attach_partition(partition regclass) RETURNS integer
    LANGUAGE plpgsql
    AS $$
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

-- Name: FUNCTION attach_partition(partition regclass); Type: COMMENT

COMMENT ON FUNCTION crmshift.attach_partition(partition regclass) IS 'Create the sync triggers that a partition made since lacks, or all partitions of the table that is named; returns how many. select crmshift.attach_partition(''public.contacts_2027'').';

-- Name: authority(); Type: FUNCTION

CREATE FUNCTION crmshift.authority() RETURNS text
    LANGUAGE sql STABLE
    AS $$
-- Applications move over in traffic-migration, workspace by workspace: while they do, no side has the last word on all.
select case when bool_or(s.phase = 'legacy-deprecation') then 'target' when bool_or(s.phase = 'traffic-migration') then null else 'legacy' end
  from crmshift.step_state as s where s.state in ('applied', 'running')
$$;

-- Name: FUNCTION authority(); Type: COMMENT

COMMENT ON FUNCTION crmshift.authority() IS 'The side that has the last word now, as the ledger tells: legacy until traffic-migration begins, target from legacy-deprecation on, null between.';

-- Name: backfill_backends(); Type: FUNCTION

CREATE FUNCTION crmshift.backfill_backends() RETURNS integer[]
    LANGUAGE sql STABLE
    AS $$
select coalesce(array_agg(distinct l.pid), '{}') from pg_catalog.pg_locks as l
 where l.locktype = 'relation' and l.granted and l.mode in ('RowShareLock', 'RowExclusiveLock')
   and l.relation = 'crmshift.backfill_range'::regclass
   and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
$$;

-- Name: FUNCTION backfill_backends(); Type: COMMENT

COMMENT ON FUNCTION crmshift.backfill_backends() IS 'Processes that are in the middle of a batch.';

-- Name: backfill_batch(text, integer, uuid, integer, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.backfill_batch(of_source text, batch_size integer, of_workspace uuid DEFAULT NULL::uuid, of_range integer DEFAULT NULL::integer, waiting boolean DEFAULT true, OUT source text, OUT workspace_id uuid, OUT range integer, OUT rows bigint, OUT rows_total bigint, OUT rows_done bigint, OUT written bigint, OUT queued bigint, OUT batches bigint, OUT ranges integer, OUT ranges_finished integer, OUT finished_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql
    SET random_page_cost TO '0.1'
    AS $_$
-- Walk the next rows of a range that nobody else is at: `of_range` where it is free, else one not begun, else any; where all are
-- taken, wait for one, or without `waiting` return without a range. The rows are locked FOR KEY SHARE, which no ordinary update
-- waits for, and what is already there is left alone: a live write either came first, and wins, or finds the row and overwrites it.
#variable_conflict use_column
declare
    w crmshift.backfill_walk;
    r crmshift.backfill_range;
    columns text[];
    key_types text[];
    arrays text[];
    last text[];
    n bigint := 0;
    inserted bigint := 0;
    bad bigint := 0;
begin
    select * into w from crmshift.backfill_walk as b where b.source = of_source and b.workspace_id is not distinct from of_workspace;
    if not found then
        raise exception 'The backfill from % has not begun.', of_source
            using errcode = 'SH001', hint = 'select crmshift.backfill_start(…) with the table''s schema: public.contacts.';
    end if;
    select * into r from crmshift.backfill_range as p where p.walk = w.id and p.finished_at is null
     order by p.number is distinct from of_range, p.last_key is not null, p.number limit 1 for update skip locked;
    while r.number is null and waiting and exists (select from crmshift.backfill_range as p where p.walk = w.id and p.finished_at is null) loop
        select * into r from crmshift.backfill_range as p where p.walk = w.id and p.finished_at is null order by p.number limit 1 for update;
    end loop;

    if r.number is not null then
        select f.columns, f.key_types into columns, key_types from crmshift.backfill_mappings(of_source) as f limit 1;
        execute (
            select format($sql$
                with picked as materialized (
                    select %1$s from %2$s as s where %3$s (%1$s) <= (%4$s) and %8$s order by %1$s limit $3
                ), batch as materialized (
                    -- A row whose key changes while we wait for it is no row of this batch any more, and must not move the checkpoint.
                    select %1$s from %2$s as s join picked as p on %5$s order by %1$s for key share of s
                )
                select (select array[%6$s] from batch), (select array[%7$s] from picked), (select count(*) from picked)$sql$,
                       string_agg(format('s.%I', c), ', ' order by i),
                       of_source::regclass,
                       case when coalesce(r.last_key, r.low_key) is null then '' else
                           format('(%s) > (%s) and', string_agg(format('s.%I', c), ', ' order by i), string_agg(format('$1[%s]::%s', i, t), ', ' order by i)) end,
                       string_agg(format('$2[%s]::%s', i, t), ', ' order by i),
                       string_agg(format('s.%1$I = p.%1$I', c), ' and ' order by i),
                       string_agg(format('array_agg(%I order by %s)::text', c, o.by_key), ', ' order by i),
                       string_agg(format('(array_agg(%I order by %s))[count(*)]::text', c, o.by_key), ', ' order by i),
                       crmshift.walk_condition(of_source, of_workspace, w.except_workspaces))
              from unnest(columns, key_types) with ordinality as u (c, t, i),
                   (select string_agg(quote_ident(k), ', ' order by j) as by_key from unnest(columns) with ordinality as v (k, j)) as o
        ) into arrays, last, n using coalesce(r.last_key, r.low_key), r.high_key, batch_size;
        if arrays[1] is not null then
            -- The target grows from nothing under plans that were cached when it was small, and would read all of it for every batch.
            execute 'discard plans';
            select b.written, b.queued into inserted, bad
              from crmshift.write_batch(array(select m.name from crmshift.backfill_mappings(of_source) as m), arrays, 'fill') as b;
        end if;
        update crmshift.backfill_range as p
           set last_key = coalesce(last, p.last_key), rows_done = p.rows_done + n, written = p.written + inserted,
               queued = p.queued + bad, batches = p.batches + 1, updated_at = clock_timestamp(),
               finished_at = case when n < batch_size or last = p.high_key then clock_timestamp() end
         where p.walk = w.id and p.number = r.number;
    end if;
    select b.source, b.workspace_id, r.number, n, b.rows_total, b.rows_done, b.written, b.queued, b.batches, b.ranges, b.ranges_finished, b.finished_at
      into source, workspace_id, range, rows, rows_total, rows_done, written, queued, batches, ranges, ranges_finished, finished_at
      from crmshift.backfill as b where b.source = of_source and b.workspace_id is not distinct from of_workspace;
end
$_$;

-- Name: FUNCTION backfill_batch(of_source text, batch_size integer, of_workspace uuid, of_range integer, waiting boolean, OUT source text, OUT workspace_id uuid, OUT range integer, OUT rows bigint, OUT rows_total bigint, OUT rows_done bigint, OUT written bigint, OUT queued bigint, OUT batches bigint, OUT ranges integer, OUT ranges_finished integer, OUT finished_at timestamp with time zone); Type: COMMENT

COMMENT ON FUNCTION crmshift.backfill_batch(of_source text, batch_size integer, of_workspace uuid, of_range integer, waiting boolean, OUT source text, OUT workspace_id uuid, OUT range integer, OUT rows bigint, OUT rows_total bigint, OUT rows_done bigint, OUT written bigint, OUT queued bigint, OUT batches bigint, OUT ranges integer, OUT ranges_finished integer, OUT finished_at timestamp with time zone) IS 'Walk the next rows of a backfill and commit the checkpoint with them: select * from crmshift.backfill_batch(''public.contacts'', 1000).';

-- Name: backfill_control; Type: TABLE

CREATE TABLE crmshift.backfill_control (
    only_row boolean DEFAULT true NOT NULL,
    workers integer DEFAULT 1 NOT NULL,
    batch_seconds double precision DEFAULT 0.5 NOT NULL,
    batch_rows integer DEFAULT 10000 NOT NULL,
    rest double precision DEFAULT 0 NOT NULL,
    throttle_query text,
    paused boolean DEFAULT false NOT NULL,
    paused_at timestamp with time zone,
    why text,
    changed_by text DEFAULT SESSION_USER NOT NULL,
    changed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT batches_have_1_to_1000000_rows CHECK (((batch_rows >= 1) AND (batch_rows <= 1000000))),
    CONSTRAINT batches_take_at_most_half_a_second CHECK (((batch_seconds > (0)::double precision) AND (batch_seconds <= (0.5)::double precision))),
    CONSTRAINT rest_is_0_to_20_times_the_work CHECK (((rest >= (0)::double precision) AND (rest <= (20)::double precision))),
    CONSTRAINT there_is_one_row CHECK (only_row),
    CONSTRAINT workers_are_1_to_64 CHECK (((workers >= 1) AND (workers <= 64)))
);

-- Name: TABLE backfill_control; Type: COMMENT

COMMENT ON TABLE crmshift.backfill_control IS 'How a backfill runs. One row, read before every batch: update it at any time.';

-- Name: COLUMN backfill_control.workers; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_control.workers IS 'How many batches at a time, each in a session of its own.';

-- Name: COLUMN backfill_control.batch_seconds; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_control.batch_seconds IS 'How long a batch should take, and so how long it may keep an application waiting.';

-- Name: COLUMN backfill_control.batch_rows; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_control.batch_rows IS 'A batch never has more rows than this, however quick it is.';

-- Name: COLUMN backfill_control.rest; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_control.rest IS 'Seconds that a worker rests for each second of a batch: 3 leaves three quarters of the time to the applications.';

-- Name: COLUMN backfill_control.throttle_query; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_control.throttle_query IS 'A query of yours, for the signal throttle_query: one value, a number, or true to hold the backfill. Read only, under statement_timeout.';

-- Name: COLUMN backfill_control.paused; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_control.paused IS 'No batch begins.';

-- Name: COLUMN backfill_control.paused_at; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_control.paused_at IS 'Since when.';

-- Name: COLUMN backfill_control.why; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_control.why IS 'What the operator said.';

-- Name: COLUMN backfill_control.changed_by; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_control.changed_by IS 'Who changed it last.';

-- Name: COLUMN backfill_control.changed_at; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_control.changed_at IS 'When.';

-- Name: backfill_reading; Type: TABLE

CREATE TABLE crmshift.backfill_reading (
    signal text NOT NULL,
    reading double precision,
    read_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    sqlstate text,
    trouble text,
    held_since timestamp with time zone,
    passed_over boolean DEFAULT false NOT NULL
)
WITH (fillfactor='20');

-- Name: TABLE backfill_reading; Type: COMMENT

COMMENT ON TABLE crmshift.backfill_reading IS 'What crmshift.backfill_check() last read, and since when a signal has held the backfill.';

-- Name: COLUMN backfill_reading.signal; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_reading.signal IS 'Signal, as in crmshift.backfill_signal.';

-- Name: COLUMN backfill_reading.reading; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_reading.reading IS 'What was last read; null where it has nothing to say.';

-- Name: COLUMN backfill_reading.read_at; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_reading.read_at IS 'When it was last read, or tried.';

-- Name: COLUMN backfill_reading.failures; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_reading.failures IS 'How often in a row it could not be read. From the third time on that holds the backfill.';

-- Name: COLUMN backfill_reading.sqlstate; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_reading.sqlstate IS 'Why it could not be read.';

-- Name: COLUMN backfill_reading.trouble; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_reading.trouble IS 'The same in words; of a throttle query of yours, or SQLSTATE classes 22 and 23, which may show values, none are kept.';

-- Name: COLUMN backfill_reading.held_since; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_reading.held_since IS 'Since when it has held the backfill; null where it does not.';

-- Name: COLUMN backfill_reading.passed_over; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_reading.passed_over IS 'It has held the backfill as long as it may, and is not heeded until it has come down.';

-- Name: backfill_signal; Type: TABLE

CREATE TABLE crmshift.backfill_signal (
    signal text NOT NULL,
    "position" integer NOT NULL,
    measures text NOT NULL,
    unit text DEFAULT ''::text NOT NULL,
    pauses_at double precision NOT NULL,
    resumes_at double precision NOT NULL,
    at_most interval,
    enabled boolean DEFAULT true NOT NULL,
    CONSTRAINT resumes_below_where_it_pauses CHECK (((resumes_at >= (0)::double precision) AND (resumes_at < pauses_at) AND (pauses_at < 'Infinity'::double precision))),
    CONSTRAINT signal_is_plain CHECK ((signal ~ '^[a-z][a-z0-9_]{0,40}$'::text))
);

-- Name: TABLE backfill_signal; Type: COMMENT

COMMENT ON TABLE crmshift.backfill_signal IS 'Signs of strain. Each is read by the function crmshift.signal_<signal>(); a row and a function of yours make one more.';

-- Name: COLUMN backfill_signal."position"; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_signal."position" IS 'They are read in this order.';

-- Name: COLUMN backfill_signal.measures; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_signal.measures IS 'What the reading says.';

-- Name: COLUMN backfill_signal.unit; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_signal.unit IS 'In what.';

-- Name: COLUMN backfill_signal.pauses_at; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_signal.pauses_at IS 'The backfill is held from this reading on.';

-- Name: COLUMN backfill_signal.resumes_at; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_signal.resumes_at IS 'It goes on when the reading has come down to this.';

-- Name: COLUMN backfill_signal.at_most; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_signal.at_most IS 'It is held no longer than this for one occurrence; null: as long as it takes.';

-- Name: COLUMN backfill_signal.enabled; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_signal.enabled IS 'Whether it counts.';

-- Name: backfill_hold; Type: VIEW

CREATE VIEW crmshift.backfill_hold AS
 SELECT signal,
    measures,
    unit,
    reading,
    pauses_at,
    resumes_at,
    since,
    why
   FROM ( SELECT 0 AS "position",
            'paused'::text AS signal,
            ('paused by '::text || c.changed_by) AS measures,
            ''::text AS unit,
            NULL::double precision AS reading,
            NULL::double precision AS pauses_at,
            NULL::double precision AS resumes_at,
            c.paused_at AS since,
            c.why
           FROM crmshift.backfill_control c
          WHERE c.paused
        UNION ALL
         SELECT s."position",
            s.signal,
            s.measures,
            s.unit,
            r.reading,
            s.pauses_at,
            s.resumes_at,
            r.held_since,
                CASE
                    WHEN (r.failures >= 3) THEN (COALESCE(('cannot be read: '::text || r.trouble), 'cannot be read'::text) || format(' (%s)'::text, r.sqlstate))
                    ELSE NULL::text
                END AS "case"
           FROM (crmshift.backfill_signal s
             JOIN crmshift.backfill_reading r USING (signal))
          WHERE (s.enabled AND (r.held_since IS NOT NULL) AND (NOT r.passed_over))) h
  ORDER BY "position";

-- Name: VIEW backfill_hold; Type: COMMENT

COMMENT ON VIEW crmshift.backfill_hold IS 'What holds the backfill now, by what was last read: its reading, where it pauses and where it goes on, and since when. Empty: nothing does.';

-- Name: backfill_check(text); Type: FUNCTION

CREATE FUNCTION crmshift.backfill_check(of_signal text DEFAULT NULL::text) RETURNS SETOF crmshift.backfill_hold
    LANGUAGE plpgsql
    AS $$
-- Read the signals that count (or only one), note what they say, and return what holds the backfill. Whoever calls this sets
-- statement_timeout first: what is being read when it strikes counts as not to be read, and the others go on.
declare
    s crmshift.backfill_signal;
    was crmshift.backfill_reading;
    is_now crmshift.backfill_reading;
begin
    delete from crmshift.backfill_reading as r
     where not exists (select from crmshift.backfill_signal as g where g.signal = r.signal and g.enabled);
    for s in select * from crmshift.backfill_signal as g where g.enabled and (of_signal is null or g.signal = of_signal) order by g.position loop
        select * into was from crmshift.backfill_reading as r where r.signal = s.signal;
        is_now := row(s.signal, null, null, 0, null, null, was.held_since, coalesce(was.passed_over, false));
        begin
            execute format('select crmshift.%I()', 'signal_' || s.signal) into is_now.reading;
        exception when query_canceled or others then
            is_now.failures := coalesce(was.failures, 0) + 1;
            is_now.reading := was.reading;
            is_now.sqlstate := sqlstate;
            is_now.trouble := case when s.signal <> 'throttle_query' and sqlstate !~ '^2[23]' then sqlerrm end;
        end;
        is_now.read_at := clock_timestamp();
        if is_now.failures >= 3 then
            is_now.held_since := coalesce(was.held_since, is_now.read_at);
            is_now.passed_over := false;
        elsif is_now.failures = 0 and is_now.reading >= s.pauses_at then
            is_now.held_since := coalesce(was.held_since, is_now.read_at);
        elsif is_now.failures = 0 and (is_now.reading is null or is_now.reading <= s.resumes_at or was.failures >= 3) then
            is_now.held_since := null;
            is_now.passed_over := false;
        end if;
        is_now.passed_over := is_now.passed_over or coalesce(is_now.failures < 3 and is_now.held_since + s.at_most <= is_now.read_at, false);
        insert into crmshift.backfill_reading as r select (is_now).*
        on conflict (signal) do update
           set (reading, read_at, failures, sqlstate, trouble, held_since, passed_over)
             = row(excluded.reading, excluded.read_at, excluded.failures, excluded.sqlstate, excluded.trouble, excluded.held_since, excluded.passed_over);
    end loop;
    return query select * from crmshift.backfill_hold;
end
$$;

-- Name: FUNCTION backfill_check(of_signal text); Type: COMMENT

COMMENT ON FUNCTION crmshift.backfill_check(of_signal text) IS 'Read the signals and say what holds the backfill: select * from crmshift.backfill_check(). A running backfill does so every second.';

-- Name: backfill_end(text); Type: FUNCTION

CREATE FUNCTION crmshift.backfill_end(of_source text) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- Sessions may have made plans while the tables were empty, and would read all of them from now on, for each row: until there are
-- statistics, which make them plan anew.
declare
    target text;
begin
    for target in select m.target from crmshift.backfill_mappings(of_source) as b join crmshift.mapping as m using (name) order by m.position loop
        execute format('analyze %s', target::regclass);
    end loop;
end
$$;

-- Name: FUNCTION backfill_end(of_source text); Type: COMMENT

COMMENT ON FUNCTION crmshift.backfill_end(of_source text) IS 'Take the statistics of the tables that a backfill has filled.';

-- Name: backfill_mappings(text); Type: FUNCTION

CREATE FUNCTION crmshift.backfill_mappings(of_source text) RETURNS TABLE(name text, key text[], key_types text[], columns text[])
    LANGUAGE sql STABLE
    AS $_$
-- The mappings one walk of a table fills, parents first: those its rows are synced to, by the key of the first of them.
select m.name, m.key, m.key_types, f.key
  from crmshift.feed as f join crmshift.mapping as m on m.name = f.mapping
 where f.source = $1 and f.mode = 'sync' and m.direction = 'to_target'
   and f.key = (select g.key from crmshift.feed as g join crmshift.mapping as n on n.name = g.mapping
                 where g.source = $1 and g.mode = 'sync' and n.direction = 'to_target' order by n.position limit 1)
 order by m.position
$_$;

-- Name: FUNCTION backfill_mappings(of_source text); Type: COMMENT

COMMENT ON FUNCTION crmshift.backfill_mappings(of_source text) IS 'The mappings that a backfill from this table fills.';

-- Name: backfill_pause(text); Type: FUNCTION

CREATE FUNCTION crmshift.backfill_pause(why text DEFAULT NULL::text) RETURNS void
    LANGUAGE sql
    AS $_$ update crmshift.backfill_control set paused = true, why = $1 $_$;

-- Name: FUNCTION backfill_pause(why text); Type: COMMENT

COMMENT ON FUNCTION crmshift.backfill_pause(why text) IS 'From the next batch on, the backfill waits: select crmshift.backfill_pause(''why''). Batches under way end within half a second or so.';

-- Name: backfill_resume(); Type: FUNCTION

CREATE FUNCTION crmshift.backfill_resume() RETURNS void
    LANGUAGE sql
    AS $$ update crmshift.backfill_control set paused = false, why = null $$;

-- Name: FUNCTION backfill_resume(); Type: COMMENT

COMMENT ON FUNCTION crmshift.backfill_resume() IS 'Let the backfill go on.';

-- Name: backfill_sources(); Type: FUNCTION

CREATE FUNCTION crmshift.backfill_sources() RETURNS TABLE(source text, "position" integer)
    LANGUAGE sql STABLE
    AS $$
select f.source, min(m.position)
  from crmshift.feed as f join crmshift.mapping as m on m.name = f.mapping
 where f.mode = 'sync' and m.direction = 'to_target'
 group by f.source order by 2
$$;

-- Name: FUNCTION backfill_sources(); Type: COMMENT

COMMENT ON FUNCTION crmshift.backfill_sources() IS 'Legacy tables to walk, in this order: what the rows of one refer to is made from those before it.';

-- Name: backfill; Type: VIEW

CREATE VIEW crmshift.backfill AS
SELECT
    NULL::text AS source,
    NULL::uuid AS workspace_id,
    NULL::text[] AS upper_key,
    NULL::bigint AS rows_total,
    NULL::bigint AS rows_done,
    NULL::bigint AS written,
    NULL::bigint AS queued,
    NULL::bigint AS batches,
    NULL::integer AS ranges,
    NULL::integer AS ranges_finished,
    NULL::timestamp with time zone AS started_at,
    NULL::timestamp with time zone AS updated_at,
    NULL::timestamp with time zone AS finished_at;

-- Name: VIEW backfill; Type: COMMENT

COMMENT ON VIEW crmshift.backfill IS 'How far the backfill from each legacy table has come.';

-- Name: COLUMN backfill.source; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.source IS 'Table whose keys are walked.';

-- Name: COLUMN backfill.workspace_id; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.workspace_id IS 'Only rows of this workspace; null: of all that were not complete by then.';

-- Name: COLUMN backfill.upper_key; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.upper_key IS 'Largest key at the start: rows born later arrive by the triggers. Null where there was no row.';

-- Name: COLUMN backfill.rows_total; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.rows_total IS 'Rows to walk, counted at the start.';

-- Name: COLUMN backfill.rows_done; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.rows_done IS 'Source rows walked so far.';

-- Name: COLUMN backfill.written; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.written IS 'Rows inserted on the target, in all its tables; the others were there already.';

-- Name: COLUMN backfill.queued; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.queued IS 'Keys that could not be written and stand in the sync queue.';

-- Name: COLUMN backfill.batches; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.batches IS 'Committed batches.';

-- Name: COLUMN backfill.ranges; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.ranges IS 'Pieces that workers share.';

-- Name: COLUMN backfill.ranges_finished; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.ranges_finished IS 'How many of them are done.';

-- Name: COLUMN backfill.updated_at; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.updated_at IS 'When the last batch committed.';

-- Name: COLUMN backfill.finished_at; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill.finished_at IS 'When the last row was reached; that of one workspace also by a walk of all.';

-- Name: backfill_start(text, uuid); Type: FUNCTION

CREATE FUNCTION crmshift.backfill_start(of_source text, of_workspace uuid DEFAULT NULL::uuid) RETURNS crmshift.backfill
    LANGUAGE plpgsql
    AS $_$
-- Freeze the bound and the count, and cut the ranges, all by one scan in key order; does nothing where the walk has begun.
declare
    b crmshift.backfill;
    columns text[] := (select m.columns from crmshift.backfill_mappings(of_source) as m limit 1);
    complete uuid[];
    new_walk bigint;
    bound text[];
    total bigint;
    cuts jsonb;  -- every thousandth key; of these as many bound a range as make some tens of ranges
    cut_rows constant integer := 1000;
    most_ranges constant integer := 64;
    each integer;
begin
    select * into b from crmshift.backfill where source = of_source and workspace_id is not distinct from of_workspace;
    if found then
        return b;
    end if;
    if columns is null then
        raise exception 'No mapping to the target is made from the table %.', of_source
            using errcode = 'SH001', hint = 'select distinct source from crmshift.feed lists the tables.';
    end if;
    complete := case when of_workspace is null then
        array(select w.workspace_id from crmshift.backfill as w
               where w.source = of_source and w.workspace_id is not null and w.finished_at is not null order by 1) else '{}' end;
    execute (
        select format($sql$
            select (select array[%1$s] from %2$s as s where %3$s order by %4$s limit 1), count(*),
                   jsonb_agg(array[%5$s] order by n.number) filter (where n.number %% $1 = 0)
              from (select %6$s, row_number() over (order by %6$s) as number from %2$s as s where %3$s) as n$sql$,
                   string_agg(format('s.%I::text', c), ', ' order by i), of_source::regclass,
                   crmshift.walk_condition(of_source, of_workspace, complete),
                   string_agg(format('s.%I desc', c), ', ' order by i),
                   string_agg(format('n.%I::text', c), ', ' order by i),
                   string_agg(format('s.%I', c), ', ' order by i))
          from unnest(columns) with ordinality as u (c, i)
    ) into bound, total, cuts using cut_rows;
    insert into crmshift.backfill_walk (source, workspace_id, except_workspaces, upper_key, rows_total)
    values (of_source, of_workspace, complete, bound, total) returning id into new_walk;

    each := greatest(1, ceil(total::numeric / cut_rows / most_ranges))::integer;
    insert into crmshift.backfill_range (walk, number, low_key, high_key, rows_total)
    select new_walk, k.number, lag(k.key) over (order by k.number), k.key,
           least(k.number::bigint * each * cut_rows, total) - (k.number - 1)::bigint * each * cut_rows
      from (select (c.i / each)::integer as number, array(select jsonb_array_elements_text(c.key)) as key
              from jsonb_array_elements(cuts) with ordinality as c (key, i)
             where c.i % each = 0 and c.i * cut_rows < total
            union all
            select ceil(total::numeric / cut_rows / each)::integer, bound where total > 0) as k;
    select * into b from crmshift.backfill where source = of_source and workspace_id is not distinct from of_workspace;
    return b;
end
$_$;

-- Name: FUNCTION backfill_start(of_source text, of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.backfill_start(of_source text, of_workspace uuid) IS 'Begin the backfill from a legacy table, or of one workspace''s rows: freeze its bound, count its rows, cut its ranges.';

-- Name: call_writer(text, text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.call_writer(verb text, of_mapping text, keys jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
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
$_$;

-- Name: FUNCTION call_writer(verb text, of_mapping text, keys jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.call_writer(verb text, of_mapping text, keys jsonb) IS 'Call fill_, sync_ or remove_<mapping> with keys given as a json array of objects.';

-- Name: capture; Type: TABLE

CREATE TABLE crmshift.capture (
    source text NOT NULL,
    operation text NOT NULL,
    queueing text NOT NULL,
    noting text NOT NULL,
    nesting text NOT NULL,
    overtaken text NOT NULL,
    CONSTRAINT operation_is_known CHECK ((operation = ANY (ARRAY['INSERT'::text, 'UPDATE'::text, 'DELETE'::text])))
);

-- Name: TABLE capture; Type: COMMENT

COMMENT ON TABLE crmshift.capture IS 'Statements that make out what a statement wrote, for the trigger functions. Worded by capture_of() when a table gets its triggers.';

-- Name: COLUMN capture.source; Type: COMMENT

COMMENT ON COLUMN crmshift.capture.source IS 'Table that is written.';

-- Name: COLUMN capture.operation; Type: COMMENT

COMMENT ON COLUMN crmshift.capture.operation IS 'Kind of statement, as tg_op has it.';

-- Name: COLUMN capture.queueing; Type: COMMENT

COMMENT ON COLUMN crmshift.capture.queueing IS 'Queues it, instead of syncing it.';

-- Name: COLUMN capture.noting; Type: COMMENT

COMMENT ON COLUMN crmshift.capture.noting IS 'Gives what this transaction just queued the old and new values.';

-- Name: COLUMN capture.nesting; Type: COMMENT

COMMENT ON COLUMN crmshift.capture.nesting IS 'Notes it, inside a sync.';

-- Name: COLUMN capture.overtaken; Type: COMMENT

COMMENT ON COLUMN crmshift.capture.overtaken IS 'Logs what of it a sync of the other side has overwritten meanwhile.';

-- Name: capture_of(text); Type: FUNCTION

CREATE FUNCTION crmshift.capture_of(of_source text) RETURNS SETOF crmshift.capture
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    AS $_$
select $1, o, crmshift.queueing_statement($1, o), crmshift.noting_statement($1, o), crmshift.nesting_statement($1, o), crmshift.overtaken_statement($1, o)
  from unnest(array['INSERT', 'UPDATE', 'DELETE']) as o
$_$;

-- Name: FUNCTION capture_of(of_source text); Type: COMMENT

COMMENT ON FUNCTION crmshift.capture_of(of_source text) IS 'The statements for one table, worded anew.';

-- Name: change_customer(uuid, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.change_customer(customer uuid, changes jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
begin
    perform crmshift.refuse_unknown(changes, '{firstname,lastname,email,phone1,address1,address2,city,state,zip,lastchanged}', 'customer');
    perform crmshift.lock_customer(customer);
    update public.customers as c
       set (firstname, lastname, email, phone1, address1, address2, city, state, zip, lastchanged)
         = (select n.firstname, n.lastname, n.email, n.phone1, n.address1, n.address2, n.city, n.state, n.zip, n.lastchanged
              from jsonb_populate_record(c, jsonb_build_object('lastchanged', clock_timestamp()) || changes) as n)
     where c.cst_id = customer and changes <> '{}';
end
$$;

-- Name: FUNCTION change_customer(customer uuid, changes jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.change_customer(customer uuid, changes jsonb) IS 'Change columns of a customer: select crmshift.change_customer(''…'', ''{"city": "Bonn"}''). lastchanged is now, unless given.';

-- Name: change_lead(uuid, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.change_lead(lead uuid, changes jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
begin
    perform crmshift.refuse_unknown(changes, '{productid,source,sourcesubdescr,disposition,stg_id,appointment_status,entrydate,apptdate,lastchangedon,lastchangedby}', 'lead');
    perform crmshift.lock_lead(lead);
    update public.leads as l
       set (productid, source, sourcesubdescr, disposition, stg_id, appointment_status, entrydate, apptdate, lastchangedon, lastchangedby)
         = (select n.productid, n.source, n.sourcesubdescr, n.disposition, n.stg_id, n.appointment_status, n.entrydate, n.apptdate,
                   n.lastchangedon, n.lastchangedby
              from jsonb_populate_record(l, jsonb_build_object('lastchangedon', clock_timestamp()) || changes) as n)
     where l.id = lead and changes <> '{}';
end
$$;

-- Name: FUNCTION change_lead(lead uuid, changes jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.change_lead(lead uuid, changes jsonb) IS 'Change columns of a lead: select crmshift.change_lead(''…'', ''{"disposition": "won", "stg_id": 4}''). lastchangedon is now, unless given.';

-- Name: changes_query(text, text, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.changes_query(of_source text, operation text, looking boolean DEFAULT false) RETURNS text
    LANGUAGE sql STABLE
    AS $_$
with subjects as (
    select string_agg(format('(%L, jsonb_build_object(%s), jsonb_build_object(%s), %L::boolean)', s.subject,
                             (select string_agg(format('%L, p.o -> %L', k, c), ', ' order by i) from unnest(s.key, s.columns) with ordinality as u (k, c, i)),
                             (select string_agg(format('%L, p.n -> %L', k, c), ', ' order by i) from unnest(s.key, s.columns) with ordinality as u (k, c, i)),
                             s.whole), ', ') as rows
      from crmshift.source_subject as s where s.source = $1 and s.mode = 'sync'
)
select format($sql$
    select x.subject, x.key, (array_agg(x.op))[1] as op, jsonb_object_agg(c.name, jsonb_build_array(x.o -> c.name, x.n -> c.name)) filter (where x.spoken_of) as changed
      from (select s.subject, k.key,
                   case when not s.whole then 'update' when k.o is null then 'insert' when k.n is null then 'delete' else 'update' end as op, k.o, k.n, p.spoken_of
              from (%1$s) as p
             cross join lateral (values %2$s) as s (subject, was_key, is_key, whole)
             cross join lateral (select s.was_key, p.o, case when s.is_key = s.was_key then p.n end where p.o is not null
                                 union all
                                 select s.is_key, null, p.n where p.n is not null and (p.o is null or s.is_key <> s.was_key)) as k (key, o, n)
             where p.o is distinct from p.n) as x
     cross join lateral (select jsonb_object_keys(coalesce(x.n, x.o))) as c (name)
     where (x.o -> c.name) is distinct from (x.n -> c.name)
     group by x.subject, x.key$sql$, crmshift.pairs_query($1, $2, $3), s.rows)
  from subjects as s
$_$;

-- Name: FUNCTION changes_query(of_source text, operation text, looking boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.changes_query(of_source text, operation text, looking boolean) IS 'A query over the transition tables: subject, key, op and the changed columns.';

-- Name: check_access_parity(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_access_parity(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
with pair as (
    select distinct f.source as legacy, m.target, pg_get_viewdef(format('crmshift.%I', m.name || '_expected')::regclass) as view
      from crmshift.feed as f join crmshift.mapping as m on m.name = f.mapping
     where m.direction = 'to_target' and f.mode = 'sync'
), parties as (
    select distinct p.legacy, p.target, r.oid, r.rolname
      from pair as p
      join pg_class as c on c.oid in (to_regclass(p.legacy), to_regclass(p.target))
     cross join lateral aclexplode(c.relacl) as x
      join pg_roles as r on r.oid = x.grantee and not r.rolsuper
     where not exists (select from pg_class as o where o.oid in (to_regclass(p.legacy), to_regclass(p.target)) and pg_has_role(r.oid, o.relowner, 'usage'))
), differing as (
    select r.target, r.rolname, r.legacy, v.privilege, has_table_privilege(r.oid, r.target, v.privilege) as on_target
      from parties as r cross join (values ('select'), ('insert'), ('update'), ('delete')) as v (privilege)
     where has_table_privilege(r.oid, r.target, v.privilege) <> has_table_privilege(r.oid, r.legacy, v.privilege)
), policy as (
    -- As they would read on the target, and without what makes no difference: parentheses, blanks, casts, and how an unset setting is taken.
    select p.legacy, p.target, o.polrelid, o.polname, o.polpermissive, o.polcmd, o.polroles, w.*
      from pair as p
      join pg_policy as o on o.polrelid in (to_regclass(p.legacy), to_regclass(p.target))
      left join lateral (
          -- columns of legacy that the view gives another name: c.phone_number::text AS phone1, without the c where it reads one table only
          select array_agg(m[1]) as of_legacy, array_agg(m[2]) as of_target
            from regexp_matches(p.view, '(?<![.\w])(?:' || substring(p.view from '\m' || replace(p.legacy, '.', '\.') || ' (\w+)')
                                        || '\.)?(\w+)\)?(?:::[a-z ]+)? AS (\w+)', 'g') as m
      ) as n on o.polrelid = to_regclass(p.legacy)
     cross join lateral (
          select (select replace(string_agg(coalesce(n.of_target[array_position(n.of_legacy, m[1])], m[1]) || m[2], '' order by i), ' ', '')
                    from regexp_matches(regexp_replace(regexp_replace(regexp_replace(lower(x.words),
                             '::(text|uuid|character varying|integer|bigint)', '', 'g'),
                             'nullif\((current_setting\([^()]*\)), ''''\)', '\1', 'g'),
                             ', true\)|[() ]', ' ', 'g'), '(\w+|^)(\W+|$)', 'g') with ordinality as t (m, i))
            from (values (concat_ws(' check ', pg_get_expr(o.polqual, o.polrelid), pg_get_expr(coalesce(o.polwithcheck, o.polqual), o.polrelid)))) as x (words)
     ) as w (words)
)
select d.target, jsonb_build_object('role', d.rolname),
       format('may %s here, and not in %s', string_agg(d.privilege, ', '), d.legacy)
  from differing as d
 where d.on_target
   and not exists (select from crmshift.objects(array['grant']) as o join crmshift.installed as i using (kind, subject, name, definition)
                    where o.subject = d.target and o.name = d.rolname)
 group by d.target, d.rolname, d.legacy
union all
select d.target, jsonb_build_object('role', d.rolname),
       format('may %s in %s, and not here', string_agg(d.privilege, ', '), d.legacy)
  from differing as d
 where not d.on_target
   and not exists (select from crmshift.objects(array['grant']) as o join crmshift.installed as i using (kind, subject, name, definition)
                    where o.subject = d.legacy and o.name = d.rolname)
 group by d.target, d.rolname, d.legacy
union all
select l.target, jsonb_build_object('policy', l.polname), format('what this policy says of %s, none says here', l.legacy)
  from policy as l join pg_class as c on c.oid = l.polrelid and c.relrowsecurity
 where l.polrelid = to_regclass(l.legacy)
   and not exists (select from policy as t
                    where t.polrelid = to_regclass(l.target) and t.legacy = l.legacy and t.target = l.target and t.polpermissive = l.polpermissive
                      and t.polcmd in ('*', l.polcmd) and (t.polroles @> l.polroles or t.polroles = '{0}') and t.words = l.words)
   and not exists (select from crmshift.objects(array['policy']) as o join crmshift.installed as i using (kind, subject, name, definition)
                    where o.subject = l.legacy and o.name = l.polname)
$_$;

-- Name: FUNCTION check_access_parity(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_access_parity(of_workspace uuid) IS 'Roles may do on the target what they may do in legacy, and not more

Severity: warning
Do: grant, revoke or create the policy. If it is meant so: select crmshift.accept_object(''grant'', the table where it may, role), or accept_object(''policy'', table of legacy, policy).';

-- Name: check_backfill_complete(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_backfill_complete(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $$
select f.source, null::jsonb,
       case when b.source is null then 'backfill has not begun' else format('backfill stands at %s of %s rows', b.rows_done, b.rows_total) end
  from (select distinct f.source from crmshift.feed as f join crmshift.mapping as m on m.name = f.mapping
         where m.direction = 'to_target' and f.mode = 'sync') as f
  left join crmshift.backfill as b on b.source = f.source and b.workspace_id is null
 where b.finished_at is null
   and not exists (select from crmshift.backfill as w where w.source = f.source and w.workspace_id = of_workspace and w.finished_at is not null)
$$;

-- Name: FUNCTION check_backfill_complete(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_backfill_complete(of_workspace uuid) IS 'Every backfill is complete

Do: crmshift apply --to parallel-operation, or crmshift backfill run; crmshift backfill status says what holds it.';

-- Name: check_conflicts(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_conflicts(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $$
select l.subject, l.key, concat_ws(': ', format('conflict %s waits for a decision', l.id), nullif(array_to_string(l.columns, ', '), ''))
  from crmshift.conflict_log as l
 where l.winner is null
$$;

-- Name: FUNCTION check_conflicts(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_conflicts(of_workspace uuid) IS 'No conflict waits for a decision

Do: crmshift conflicts list, then crmshift conflicts resolve ID --take legacy or target.';

-- Name: check_constraints_validated(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_constraints_validated(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $$
select t.name, jsonb_build_object('constraint', c.conname), said.detail
  from crmshift.target_table as t
  join pg_catalog.pg_constraint as c on c.conrelid = t.relid
 cross join lateral (
        select 'constraint is NOT VALID' where not c.convalidated
        union all
        select distinct format('constraint is turned off: its triggers on %I.%I are disabled', n.nspname, r.relname)
          from pg_catalog.pg_trigger as g
          join pg_catalog.pg_class as r on r.oid = g.tgrelid
          join pg_catalog.pg_namespace as n on n.oid = r.relnamespace
         where g.tgconstraint = c.oid and g.tgenabled in ('D', 'R')) as said (detail)
$$;

-- Name: FUNCTION check_constraints_validated(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_constraints_validated(of_workspace uuid) IS 'Every constraint of the target is valid and turned on

Do: alter table … validate constraint … blocks neither readers nor writers, and names the first row that breaks it. alter table … enable trigger all turns foreign keys on again; what was written meanwhile nobody looked at: orphans does.';

-- Name: check_counts(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_counts(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text, workspace uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
with waiting as (
    select (q.key ->> 'id')::uuid as id from crmshift.sync_queue as q where q.subject = 'contacts'
), c as (
    select workspace_id, count(*) as n from public.contacts as r
     where ($1 is null or workspace_id = $1) and not exists (select from waiting as w where w.id = r.id) group by 1
), t as (
    select workspace_id, count(*) as n from public.customers as r
     where ($1 is null or workspace_id = $1) and not exists (select from waiting as w where w.id = r.cst_id) group by 1
)
select 'workspaces', jsonb_build_object('workspace_id', workspace_id),
       format('contacts: %s, customers: %s', coalesce(c.n, 0), coalesce(t.n, 0)), workspace_id
  from c full join t using (workspace_id)
 where c.n is distinct from t.n
   and not exists (select from waiting as w where w.id is null)  -- queued as a whole
$_$;

-- Name: FUNCTION check_counts(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_counts(of_workspace uuid) IS 'Every workspace has as many customers as contacts

Do: crmshift validate --repair; the drift of customers says which.';

-- Name: check_definer_functions(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_definer_functions(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $_$
select f.name, null::jsonb,
       case when f.path is null then 'search_path is not pinned'
            when f.path !~ '(^|, ?)pg_temp$' then 'pg_temp is not last in its search_path'
            else 'its owner is not that of schema crmshift' end
  from (select format('%I.%I', n.nspname, p.proname) as name, p.proowner, n.nspowner,
               (select substr(c, 13) from unnest(p.proconfig) as c where c like 'search\_path=%') as path
          from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
         where n.nspname = 'crmshift' and p.prosecdef) as f
 where f.path is null or f.path !~ '(^|, ?)pg_temp$' or f.proowner <> f.nspowner
$_$;

-- Name: FUNCTION check_definer_functions(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_definer_functions(of_workspace uuid) IS 'Functions that run with their owner''s rights have a search_path of their own

Do: alter function … set search_path = pg_catalog, …, pg_temp; alter function … owner to …';

-- Name: check_duplicates(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_duplicates(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE plpgsql STABLE
    AS $$
declare
    t record;
begin
    for t in
        select k.name, k.columns, (select string_agg(format('%L, r.%I', c, c), ', ' order by i) from unnest(k.columns) with ordinality as u (c, i)) as named,
               (select string_agg(format('r.%I', c), ', ' order by i) from unnest(k.columns) with ordinality as u (c, i)) as grouped
          from (values ('public.customers', array['cst_id']), ('public.leads', array['id']), ('public.lead_appointments', array['id']),
                       ('public.customer_custom_fields', array['customer_id', 'field_id']), ('public.lead_custom_fields', array['lead_id', 'field_id']),
                       ('public.appointment_custom_fields', array['appointment_id', 'field_id'])) as k (name, columns)
         union all
        select m.target, m.key, (select string_agg(format('%L, r.%I', c, c), ', ' order by i) from unnest(m.key) with ordinality as u (c, i)),
               (select string_agg(format('r.%I', c), ', ' order by i) from unnest(m.key) with ordinality as u (c, i))
          from crmshift.mapping as m where m.direction = 'to_legacy'
    loop
        continue when exists (
            select from pg_catalog.pg_index as i
             where i.indrelid = to_regclass(t.name) and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
               and (select array_agg(a.attname::text order by a.attname::text) from pg_catalog.pg_attribute as a
                     where a.attrelid = i.indrelid and a.attnum = any ((i.indkey::smallint[])[:i.indnkeyatts - 1]))
                   = (select array_agg(c order by c) from unnest(t.columns) as c));
        return query execute format('select %L::text, jsonb_build_object(%s), format(''it is there %%s times'', count(*)) from %s as r group by %s having count(*) > 1',
                                    substr(t.name, strpos(t.name, '.') + 1), t.named, to_regclass(t.name), t.grouped);
    end loop;
end
$$;

-- Name: FUNCTION check_duplicates(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_duplicates(of_workspace uuid) IS 'No row, and no value of a custom field, is there twice

Do: Take away all but one of them, then put the primary key back; check_schema_unaltered has its definition.';

-- Name: check_field_definitions(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_field_definitions(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text, workspace uuid)
    LANGUAGE sql STABLE
    AS $_$
select 'customer_custom_fields', jsonb_build_object('customer_id', t.customer_id, 'field_id', t.field_id), 'its field definition is of another workspace', t.workspace_id
  from public.customer_custom_fields as t join public.custom_fields as o on o.id = t.field_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'lead_custom_fields', jsonb_build_object('lead_id', t.lead_id, 'field_id', t.field_id), 'its field definition is of another workspace', t.workspace_id
  from public.lead_custom_fields as t join public.custom_fields as o on o.id = t.field_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'appointment_custom_fields', jsonb_build_object('appointment_id', t.appointment_id, 'field_id', t.field_id), 'its field definition is of another workspace', t.workspace_id
  from public.appointment_custom_fields as t join public.custom_fields as o on o.id = t.field_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
$_$;

-- Name: FUNCTION check_field_definitions(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_field_definitions(of_workspace uuid) IS 'Every value of a custom field is of the workspace of its definition

Severity: warning
Do: Mend it in legacy: give the value a definition of its own workspace, or take it away.';

-- Name: check_functions_unaltered(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_functions_unaltered(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $$
select a.subject, jsonb_build_object(a.kind, a.subject), a.detail
  from crmshift.altered(array['function', 'view']) as a
union all
select 'crmshift.capture', jsonb_build_object('source', source, 'operation', operation),
       case when w.source is null then 'its statements are gone' else 'its statements are not as crmshift.capture_of words them' end
  from (select w.* from (select distinct i.subject from crmshift.installed as i where i.kind = 'trigger' and i.name = 'crmshift_sync_insert') as s
         cross join lateral crmshift.capture_of(s.subject) as w
         where exists (select from crmshift.feed as f where f.source = s.subject)
           -- Without its primary key there are none to word; of a table of the target check_schema_unaltered says it.
           and exists (select from pg_catalog.pg_index as i where i.indrelid = to_regclass(s.subject) and i.indisprimary)) as e
  left join crmshift.capture as w using (source, operation)
 where w is distinct from e
$$;

-- Name: FUNCTION check_functions_unaltered(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_functions_unaltered(of_workspace uuid) IS 'Functions and views are as they were made

Do: crmshift.installed has the statement that makes it. If it is meant so: select crmshift.accept_object(kind, subject).';

-- Name: check_indexes_valid(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_indexes_valid(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $$
select t.name, jsonb_build_object('index', c.relname), 'index is invalid'
  from (select name, relid from crmshift.target_table
         union select m.target, to_regclass(m.target) from crmshift.mapping as m
         union select r.oid::regclass::text, r.oid from pg_catalog.pg_class as r where r.relnamespace = 'crmshift'::regnamespace) as t
  join pg_catalog.pg_index as i on i.indrelid = t.relid
  join pg_catalog.pg_class as c on c.oid = i.indexrelid
 where not (i.indisvalid and i.indisready and i.indislive)
   and not exists (select from pg_catalog.pg_stat_progress_create_index as p where p.index_relid = i.indexrelid)
$$;

-- Name: FUNCTION check_indexes_valid(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_indexes_valid(of_workspace uuid) IS 'No index of a mapped table is invalid

Do: reindex index concurrently …; drop what a failed create index concurrently left behind.';

-- Name: check_orphans(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_orphans(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text, workspace uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
select 'customers', jsonb_build_object('cst_id', t.cst_id), 'its workspace is gone', t.workspace_id
  from public.customers as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.workspaces as o where o.id = t.workspace_id)
union all
select 'leads', jsonb_build_object('id', t.id), 'its customer is gone', t.workspace_id
  from public.leads as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.customers as o where o.cst_id = t.customer_id)
union all
select 'customer_custom_fields', jsonb_build_object('customer_id', t.customer_id, 'field_id', t.field_id), 'its customer is gone', t.workspace_id
  from public.customer_custom_fields as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.customers as o where o.cst_id = t.customer_id)
union all
select 'customer_custom_fields', jsonb_build_object('customer_id', t.customer_id, 'field_id', t.field_id), 'its field definition is gone', t.workspace_id
  from public.customer_custom_fields as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.custom_fields as o where o.id = t.field_id)
union all
select 'lead_appointments', jsonb_build_object('id', t.id), 'its lead is gone', t.workspace_id
  from public.lead_appointments as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.leads as o where o.id = t.lead_id)
union all
select 'lead_custom_fields', jsonb_build_object('lead_id', t.lead_id, 'field_id', t.field_id), 'its lead is gone', t.workspace_id
  from public.lead_custom_fields as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.leads as o where o.id = t.lead_id)
union all
select 'lead_custom_fields', jsonb_build_object('lead_id', t.lead_id, 'field_id', t.field_id), 'its field definition is gone', t.workspace_id
  from public.lead_custom_fields as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.custom_fields as o where o.id = t.field_id)
union all
select 'appointment_custom_fields', jsonb_build_object('appointment_id', t.appointment_id, 'field_id', t.field_id), 'its appointment is gone', t.workspace_id
  from public.appointment_custom_fields as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.lead_appointments as o where o.id = t.appointment_id)
union all
select 'appointment_custom_fields', jsonb_build_object('appointment_id', t.appointment_id, 'field_id', t.field_id), 'its field definition is gone', t.workspace_id
  from public.appointment_custom_fields as t
 where ($1 is null or t.workspace_id = $1) and not exists (select from public.custom_fields as o where o.id = t.field_id)
$_$;

-- Name: FUNCTION check_orphans(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_orphans(of_workspace uuid) IS 'Nothing points at a row that is gone

Do: crmshift validate --repair brings back what legacy has. Bring back the rest yourself; whoever deletes what points at it deletes its counterpart in legacy, too.';

-- Name: check_primary_lead(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_primary_lead(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text, workspace uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
select 'leads', jsonb_build_object('customer_id', l.customer_id), format('%s leads, %s of them primary', count(*), count(*) filter (where l.is_primary)),
       (select o.workspace_id from public.leads as o where o.customer_id = l.customer_id limit 1)
  from public.leads as l
 where $1 is null or l.workspace_id = $1
 group by l.customer_id
having count(*) filter (where l.is_primary) <> 1
$_$;

-- Name: FUNCTION check_primary_lead(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_primary_lead(of_workspace uuid) IS 'Every customer that has leads has exactly one primary lead

Do: Where there is none: select crmshift.elect_primary_lead(array(select (key ->> ''customer_id'')::uuid from crmshift.check_primary_lead())). Where there are several, update all but one.';

-- Name: check_public_grants(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_public_grants(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $$
select t.name, jsonb_build_object('privilege', lower(x.privilege_type)), 'is granted to PUBLIC'
  from (select t.name, t.relid from crmshift.target_table as t
         union all
        select format('crmshift.%I', c.relname), c.oid from pg_catalog.pg_class as c
         where c.relnamespace = 'crmshift'::regnamespace and c.relname not in ('customer_lock', 'customer_field_lock', 'appointment_lock')) as t
  join pg_catalog.pg_class as c on c.oid = t.relid
 cross join lateral (select x.* from pg_catalog.aclexplode(c.relacl) as x
                      union select x.* from pg_catalog.pg_attribute as a cross join lateral pg_catalog.aclexplode(a.attacl) as x where a.attrelid = c.oid) as x
 where x.grantee = 0
union all
select 'crmshift', jsonb_build_object('privilege', lower(x.privilege_type)), 'is granted to PUBLIC'
  from pg_catalog.pg_namespace as n cross join lateral pg_catalog.aclexplode(n.nspacl) as x
 where n.nspname = 'crmshift' and x.grantee = 0
$$;

-- Name: FUNCTION check_public_grants(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_public_grants(of_workspace uuid) IS 'Nothing of the target or of crmshift is granted to everybody

Do: revoke … from public; grant it to the roles that need it.';

-- Name: check_replica_writers(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_replica_writers(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $$
with attached as (
    select f.source, array_agg(r.relid) as ids,
           bool_or(exists (select from pg_catalog.pg_trigger as t
                            where t.tgrelid = r.relid and t.tgname like 'crmshift\_sync\_%' and t.tgenabled <> 'A')) as ordinary
      from (select distinct source from crmshift.feed) as f
     cross join lateral (select to_regclass(f.source) as relid union select p.relid from pg_catalog.pg_partition_tree(to_regclass(f.source)) as p) as r
     group by f.source
)
-- The worker of a subscription fires triggers for rows only, and crmshift's are for statements.
select a.source, jsonb_build_object('subscription', s.subname),
       'a subscription writes it, and is not followed: disable it, or validate --repair after it'
  from attached as a
  join pg_catalog.pg_subscription_rel as r on r.srrelid = any (a.ids)
  join pg_catalog.pg_subscription as s on s.oid = r.srsubid
 where s.subenabled
union all
select a.source, jsonb_strip_nulls(jsonb_build_object('role', r.rolname, 'database', d.datname)),
       'sessions start with session_replication_role = replica, which fires no ordinary trigger: attach the table with fires: always'
  from attached as a
 cross join pg_catalog.pg_db_role_setting as g
  left join pg_catalog.pg_roles as r on r.oid = g.setrole
  left join pg_catalog.pg_database as d on d.oid = g.setdatabase
 where a.ordinary
   and g.setdatabase in (0, (select o.oid from pg_catalog.pg_database as o where o.datname = pg_catalog.current_database()))
   and 'session_replication_role=replica' = any (g.setconfig)
union all
select a.source, jsonb_build_object('setting', 'session_replication_role'),
       'the server starts sessions with session_replication_role = replica, which fires no ordinary trigger: attach the table with fires: always'
  from attached as a
 where a.ordinary
   and exists (select from pg_catalog.pg_settings as s
                where s.name = 'session_replication_role' and s.reset_val = 'replica' and s.source = 'configuration file')
$$;

-- Name: FUNCTION check_replica_writers(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_replica_writers(of_workspace uuid) IS 'Nobody writes a mapped table past its sync triggers

Do: Attach the table with fires: always, or take the setting or the subscription away; then crmshift validate --repair for what was missed.';

-- Name: check_row_security(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_row_security(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $_$
select t.name, null::jsonb,
       case when not c.relrowsecurity then 'row-level security is off'
            when not c.relforcerowsecurity then 'row-level security is not forced on the owner'
            else 'no policy restricts it to a workspace' end
  from crmshift.target_table as t
  join pg_catalog.pg_class as c on c.oid = t.relid
 where not c.relrowsecurity or not c.relforcerowsecurity
    or not exists (select from crmshift.installed as i where i.kind = 'policy' and i.subject = t.name and i.definition like '%workspace_id%')
union all
select a.subject, jsonb_build_object('policy', a.name), a.detail
  from crmshift.altered(array['policy']) as a
  join crmshift.target_table as t on t.name = a.subject
union all
select o.subject, jsonb_build_object('policy', o.name), 'policy was added, and holds for everybody'
  from crmshift.objects(array['policy']) as o
  join crmshift.target_table as t on t.name = o.subject
 where o.definition ~ ' as permissive for \w+ to public( |$)'
   and not exists (select from crmshift.installed as i where i.kind = 'policy' and i.subject = o.subject and i.name = o.name)
$_$;

-- Name: FUNCTION check_row_security(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_row_security(of_workspace uuid) IS 'Row-level security by workspace is enabled and forced on the target, and its policies are as they were made

Do: alter table … enable row level security; alter table … force row level security; crmshift.installed has the policies. If one is meant so: select crmshift.accept_object(''policy'', subject, name).';

-- Name: check_rows_compared(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_rows_compared(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $_$
select 'contacts', null::jsonb, 'there is neither a contact nor a customer to compare'
 where not exists (select from public.contacts where $1 is null or workspace_id = $1)
   and not exists (select from public.customers where $1 is null or workspace_id = $1)
   and ($1 is not null
        or not exists (select from crmshift.backfill_walk)
        or exists (select from crmshift.backfill_walk as w where w.rows_total > 0)
        or exists (select from crmshift.validation_run as r cross join jsonb_array_elements(r.accuracies) as a where (a ->> 'rows')::bigint > 0))
$_$;

-- Name: FUNCTION check_rows_compared(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_rows_compared(of_workspace uuid) IS 'There is something to compare, unless there never was

Do: Is it the right database, and the right workspace? select id, name from workspaces.';

-- Name: check_schema_unaltered(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_schema_unaltered(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $$
select a.subject, jsonb_build_object(a.kind, coalesce(nullif(a.name, ''), a.subject)), a.detail
  from crmshift.altered(array['table', 'column', 'constraint', 'index']) as a
$$;

-- Name: FUNCTION check_schema_unaltered(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_schema_unaltered(of_workspace uuid) IS 'Tables, columns, constraints and indexes are as they were made

Do: crmshift.installed has the statement that makes it. If it is meant so: select crmshift.accept_object(kind, subject, name).';

-- Name: check_sync_queue(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_sync_queue(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $$
select q.subject, q.key, concat_ws(' ', q.reason, q.sqlstate, q.constraint_name)
  from crmshift.sync_queue as q
 where q.reason <> 'manual'
    or not exists (select from crmshift.conflict_log as l where l.subject = q.subject and l.key = q.key and l.winner is null)
$$;

-- Name: FUNCTION check_sync_queue(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_sync_queue(of_workspace uuid) IS 'No key waits in the sync queue

Do: crmshift sync status says why; crmshift sync drain settles what can be settled.';

-- Name: check_triggers_attached(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_triggers_attached(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $$
with expected as (
    select s.name, s.partition, n.name as trigger
      from (select f.source as name, false as partition from crmshift.feed as f
            union
            select p.name, true from crmshift.feed as f cross join lateral crmshift.partitions_of(f.source) as p) as s
     cross join (values ('crmshift_sync_insert'), ('crmshift_sync_update'), ('crmshift_sync_delete'), ('crmshift_sync_truncate')) as n (name)
    union
    select i.subject, coalesce(c.relispartition, false), i.name
      from crmshift.installed as i join pg_catalog.pg_class as c on c.oid = to_regclass(i.subject)
     where i.kind = 'trigger' and not c.relispartition  -- those of a partition above, as long as it is one
), altered as materialized (
    select * from crmshift.altered(array['trigger'])
)
select e.name, jsonb_build_object('trigger', e.trigger),
       case when t.tgname is null and e.partition
            then format('trigger is missing: select crmshift.attach_partition(%L), then crmshift validate --repair', e.name)
            when t.tgname is null then 'trigger is missing'
            when t.tgenabled in ('D', 'R') then 'trigger is disabled'
            else a.detail end
  from expected as e
  left join pg_catalog.pg_trigger as t on t.tgrelid = to_regclass(e.name) and t.tgname = e.trigger
  left join altered as a on to_regclass(a.subject) = to_regclass(e.name) and a.name = e.trigger
 where t.tgname is null or t.tgenabled in ('D', 'R') or a.name is not null
$$;

-- Name: FUNCTION check_triggers_attached(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_triggers_attached(of_workspace uuid) IS 'Every mapped table and every partition of one has its triggers, enabled and as they were made

Do: crmshift.installed has the statement that makes it; alter table … enable trigger … switches one on again. Then crmshift validate --repair for what was missed: with --from target where it is the target''s writes that were.';

-- Name: check_unmapped_columns(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_unmapped_columns(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text)
    LANGUAGE sql STABLE
    AS $$
select o.subject, jsonb_build_object('column', o.name), 'column came later, and no mapping reads it'
  from crmshift.objects(array['legacy column']) as o
 where not exists (select from crmshift.installed as i where i.kind = 'legacy column' and i.subject = o.subject and i.name = o.name)
   and not exists (select from crmshift.mapping_reads as r where r.source = o.subject and r.column_name = o.name)
$$;

-- Name: FUNCTION check_unmapped_columns(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_unmapped_columns(of_workspace uuid) IS 'Legacy has no new column that no mapping reads

Severity: warning
Do: Carry it over (docs/writing-a-mapping.md), or leave it behind: name it in the plan, and select crmshift.accept_object(''legacy column'', table, column).';

-- Name: check_unmapped_statuses(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_unmapped_statuses(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text, workspace uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
with alone as materialized (
    select c.id, c.workspace_id, c.lead_status, l.disposition, c.appointment_status as of_contact, l.appointment_status as of_lead
      from public.contacts as c
      left join public.leads as l on l.customer_id = c.id and l.is_primary
     where ($1 is null or c.workspace_id = $1)
       and ((c.lead_status is null) <> (l.disposition is null) or (c.appointment_status is null) <> (l.appointment_status is null))
)
select 'contacts', jsonb_build_object('id', o.id), concat_ws(' ', s.name, 'means nothing to the mapping leads'), o.workspace_id
  from alone as o
  left join lateral (select e.disposition, e.appointment_status from crmshift.leads_expected as e where e.customer_id = o.id limit 1) as e on true
 cross join lateral (values ('lead_status', o.lead_status is not null and o.disposition is null and e.disposition is null),
                            ('appointment_status', o.of_contact is not null and o.of_lead is null and e.appointment_status is null)) as s (name, lost)
 where s.lost
union all
select 'leads', jsonb_build_object('customer_id', o.id), concat_ws(' ', s.name, 'means nothing to the mapping contacts'), o.workspace_id
  from alone as o
  left join lateral (select e.lead_status, e.appointment_status from crmshift.contacts_expected as e where e.id = o.id limit 1) as e on true
 cross join lateral (values ('disposition', o.disposition is not null and o.lead_status is null and e.lead_status is null),
                            ('appointment_status', o.of_lead is not null and o.of_contact is null and e.appointment_status is null)) as s (name, lost)
 where s.lost
$_$;

-- Name: FUNCTION check_unmapped_statuses(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_unmapped_statuses(of_workspace uuid) IS 'The mappings translate every status

Do: Teach the views under sql/mapping/ the value (select distinct lead_status from contacts lists them), or change the row.';

-- Name: check_workspaces_match(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.check_workspaces_match(of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text, workspace uuid)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
select 'leads', jsonb_build_object('id', t.id), 'its customer is of another workspace', t.workspace_id
  from public.leads as t join public.customers as o on o.cst_id = t.customer_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'customer_custom_fields', jsonb_build_object('customer_id', t.customer_id, 'field_id', t.field_id), 'its customer is of another workspace', t.workspace_id
  from public.customer_custom_fields as t join public.customers as o on o.cst_id = t.customer_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'lead_appointments', jsonb_build_object('id', t.id), 'its lead is of another workspace', t.workspace_id
  from public.lead_appointments as t join public.leads as o on o.id = t.lead_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'lead_custom_fields', jsonb_build_object('lead_id', t.lead_id, 'field_id', t.field_id), 'its lead is of another workspace', t.workspace_id
  from public.lead_custom_fields as t join public.leads as o on o.id = t.lead_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
union all
select 'appointment_custom_fields', jsonb_build_object('appointment_id', t.appointment_id, 'field_id', t.field_id), 'its appointment is of another workspace', t.workspace_id
  from public.appointment_custom_fields as t join public.lead_appointments as o on o.id = t.appointment_id
 where ($1 is null or $1 in (t.workspace_id, o.workspace_id)) and o.workspace_id <> t.workspace_id
$_$;

-- Name: FUNCTION check_workspaces_match(of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.check_workspaces_match(of_workspace uuid) IS 'Every row is of the workspace of what it belongs to

Do: Find out which of the two workspaces is right, and write it where it is wrong; tenants see each other''s rows until then.';

-- Name: compare_rows(text, uuid, jsonb, jsonb, double precision, bigint, xid8, integer); Type: FUNCTION

CREATE FUNCTION crmshift.compare_rows(of_mapping text, of_workspace uuid DEFAULT NULL::uuid, after jsonb DEFAULT NULL::jsonb, up_to jsonb DEFAULT NULL::jsonb, percent double precision DEFAULT NULL::double precision, seed bigint DEFAULT 0, since xid8 DEFAULT NULL::xid8, most integer DEFAULT 20) RETURNS TABLE(rows bigint, compared bigint, drifted bigint, outstanding bigint, by_kind jsonb, by_workspace jsonb, findings jsonb)
    LANGUAGE plpgsql
    SET jit TO 'off'
    SET work_mem TO '64MB'
    AS $_$
-- One range. The first statement only counts, for that is what several processes can do at once. Where it counts any, the second
-- finds out which, and the third looks at those keys alone, in a snapshot of its own, and at the queue in the same snapshot: only
-- what drifts there too, and is not outstanding, counts. That hides nothing: drift that nobody is mending is still there a moment
-- later, and what was mended meanwhile is no drift.
declare
    looked text := format(' from crmshift.%I($1, $2, $3, $4, $5, $6, true) as d', 'drift_' || of_mapping);
    suspicious bigint;
    suspects jsonb;
    written jsonb;
begin
    execute 'select count(*), count(*) filter (where d.kind is not null)' || looked
       into rows, suspicious using of_workspace, after, up_to, percent, seed, since is null;
    if suspicious > 0 then
        execute 'select count(*), jsonb_agg(d.key) filter (where d.kind is not null)' || looked
           into rows, suspects using of_workspace, after, up_to, percent, seed, since is null;
    end if;
    compared := rows;
    if since is not null then
        select count(*), jsonb_agg(w.key) into compared, written from crmshift.written_since(of_mapping, since, after, up_to) as w (key);
        suspects := nullif(coalesce(suspects, '[]') || coalesce(written, '[]'), '[]');
    end if;
    if suspects is null then
        drifted := 0;
        outstanding := 0;
        by_kind := '{}';
        by_workspace := '{}';
        findings := '[]';
        return next;
        return;
    end if;
    return query execute format($sql$
        with v as materialized (
            select v.*,  -- while nothing is queued, which is nearly always, that is asked once
                   exists (select from crmshift.sync_queue) and crmshift.is_outstanding($3, v.key) as waits
              from crmshift.%I($1) as v
             where v.kind is not null
               and ($2 is null or $2 in ((v.expected ->> 'workspace_id')::uuid, (v.found ->> 'workspace_id')::uuid))
        ), d as (
            select v.*, row_number() over (order by v.key::text) as place from v where not v.waits
        )
        select $4, $5, (select count(*) from d), (select count(*) from v where v.waits),
               coalesce((select jsonb_object_agg(k.kind, k.n) from (select kind, count(*) as n from d group by kind) as k), '{}'),
               coalesce((select jsonb_object_agg(coalesce(w.workspace_id::text, ''), w.n)
                           from (select workspace_id, count(*) as n from d group by workspace_id) as w), '{}'),
               coalesce((select jsonb_agg(jsonb_build_object('key', key, 'kind', kind, 'columns', columns, 'workspace', workspace_id) order by place)
                           from d where place <= $6), '[]')
        $sql$, 'verdict_' || of_mapping) using suspects, of_workspace, of_mapping, rows, compared, most;
end
$_$;

-- Name: FUNCTION compare_rows(of_mapping text, of_workspace uuid, after jsonb, up_to jsonb, percent double precision, seed bigint, since xid8, most integer); Type: COMMENT

COMMENT ON FUNCTION crmshift.compare_rows(of_mapping text, of_workspace uuid, after jsonb, up_to jsonb, percent double precision, seed bigint, since xid8, most integer) IS 'Compare one range of keys of a mapping, or a sample of it, or what was written since a horizon in it: how many rows there are on either side, how many drift, how many more stand in the queue, by kind and workspace, and the first of them.';

-- Name: create_customer(uuid, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.create_customer(workspace uuid, facts jsonb DEFAULT '{}'::jsonb) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
    n public.customers;
begin
    perform crmshift.refuse_unknown(facts, '{cst_id,firstname,lastname,email,phone1,address1,address2,city,state,zip,dateadded,lastchanged}', 'customer');
    n.cst_id := gen_random_uuid();
    n.dateadded := clock_timestamp();
    n.lastchanged := n.dateadded;
    n := jsonb_populate_record(n, facts);
    insert into public.customers (cst_id, workspace_id, firstname, lastname, email, phone1, address1, address2, city, state, zip, dateadded, lastchanged)
    values (n.cst_id, workspace, n.firstname, n.lastname, n.email, n.phone1, n.address1, n.address2, n.city, n.state, n.zip, n.dateadded, n.lastchanged);
    return n.cst_id;
end
$$;

-- Name: FUNCTION create_customer(workspace uuid, facts jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.create_customer(workspace uuid, facts jsonb) IS 'Make a customer; returns its id. The facts may bring an id (cst_id), so that a request that is repeated makes one customer only.';

-- Name: create_lead(uuid, jsonb, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.create_lead(customer uuid, facts jsonb DEFAULT '{}'::jsonb, make_primary boolean DEFAULT false) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
    n public.leads;
begin
    perform crmshift.refuse_unknown(facts, '{id,productid,source,sourcesubdescr,disposition,stg_id,appointment_status,entrydate,apptdate,lastchangedon,lastchangedby}', 'lead');
    perform crmshift.lock_customer(customer);
    n.id := gen_random_uuid();
    n.entrydate := clock_timestamp();
    n.lastchangedon := n.entrydate;
    n := jsonb_populate_record(n, facts);
    if make_primary then
        update public.leads as l set is_primary = false where l.customer_id = customer and l.is_primary;
    end if;
    insert into public.leads (id, customer_id, workspace_id, productid, source, sourcesubdescr, disposition, stg_id, appointment_status,
                              is_primary, entrydate, apptdate, lastchangedon, lastchangedby)
    select n.id, c.cst_id, c.workspace_id, n.productid, n.source, n.sourcesubdescr, n.disposition, n.stg_id, n.appointment_status,
           not exists (select from public.leads as p where p.customer_id = c.cst_id and p.is_primary),
           n.entrydate, n.apptdate, n.lastchangedon, n.lastchangedby
      from public.customers as c where c.cst_id = customer;
    return n.id;
end
$$;

-- Name: FUNCTION create_lead(customer uuid, facts jsonb, make_primary boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.create_lead(customer uuid, facts jsonb, make_primary boolean) IS 'Make a lead of a customer; returns its id. The first one is primary, another one where make_primary is true.';

-- Name: delete_lead(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.delete_lead(lead uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
begin
    perform crmshift.lock_lead(lead);
    delete from public.appointment_custom_fields as f using public.leads as l, public.lead_appointments as a
     where l.id = lead and a.workspace_id = l.workspace_id and a.lead_id = l.id and f.appointment_id = a.id;
    delete from public.lead_custom_fields as f where f.lead_id = $1;
    delete from public.leads as l where l.id = lead;
end
$_$;

-- Name: FUNCTION delete_lead(lead uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.delete_lead(lead uuid) IS 'Delete a lead with its custom fields and appointments. Where it was the primary one, another takes its place when the transaction commits.';

-- Name: describe_mapping(text); Type: FUNCTION

CREATE FUNCTION crmshift.describe_mapping(of_mapping text) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $_$
select jsonb_build_object(
           'name', m.name, 'target', m.target, 'key', m.key, 'key_types', m.key_types,
           'only_where', m.only_where, 'conflict_where', m.conflict_where, 'before_remove', m.before_remove,
           'agrees', (select coalesce(jsonb_object_agg(c.column_name, c.agrees), '{}') from crmshift.comparison as c where c.mapping = m.name),
           'lock_target', (select count(*) > 1 from crmshift.feed as f where f.mapping = m.name and f.mode = 'sync'),
           'columns', (select jsonb_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute as a
                        where a.attrelid = to_regclass(format('crmshift.%I', m.name || '_expected')) and a.attnum > 0 and not a.attisdropped),
           'side', case m.direction when 'to_target' then 'target' else 'legacy' end,
           'subjects', (select coalesce(jsonb_agg(jsonb_build_object('subject', s.subject, 'key', s.key, 'columns', s.columns) order by s.position), '[]')
                          from crmshift.source_subject as s where s.source = m.target and s.mode = 'sync'))
  from crmshift.mapping as m
 where m.name = $1
$_$;

-- Name: FUNCTION describe_mapping(of_mapping text); Type: COMMENT

COMMENT ON FUNCTION crmshift.describe_mapping(of_mapping text) IS 'Description of an installed mapping, for mapping_statements.';

-- Name: describe_source(text); Type: FUNCTION

CREATE FUNCTION crmshift.describe_source(of_table text) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $_$
with f as (
    select f.*, m.position, m.direction, m.key as mapping_key, m.key_types
      from crmshift.feed as f join crmshift.mapping as m on m.name = f.mapping
     where f.source = $1
), k as (
    -- the first feed that names a column says its type; sync feeds first, so that a table's own key leads
    select c, t, min(array[(mode = 'fill')::integer, position, i::integer]) as rank
      from f, unnest(f.key, f.key_types) with ordinality as u (c, t, i) group by c, t
)
select jsonb_build_object(
           'source', $1, 'side', case min(f.direction) when 'to_target' then 'legacy' else 'target' end, 'lock_timeout', '100ms',
           'entities', (select jsonb_agg(distinct m.entity) from crmshift.mapping as m
                         where m.target = $1 or m.name in (select g.mapping from f as g where g.mode = 'sync')),
           'writes', (select jsonb_agg(distinct m.target) from crmshift.mapping as m where m.direction = min(f.direction)),
           'subjects', (select jsonb_agg(jsonb_build_object('subject', s.subject, 'key', s.key, 'columns', s.columns, 'mode', s.mode)
                                         order by s.mode desc, s.position)
                          from crmshift.source_subject as s where s.source = $1),
           'keys', (select jsonb_agg(c order by rank) from k),
           'key_types', (select jsonb_agg(t order by rank) from k),
           'reads', (select jsonb_agg(c order by c) from (
                         select r.column_name from crmshift.mapping_reads as r join f as g on g.mapping = r.mapping and g.mode = 'sync'
                          where r.source = $1
                         union select c from k) as x (c)),
           'feeds', jsonb_agg(jsonb_build_object('mapping', f.mapping, 'key', f.mapping_key, 'columns', f.key, 'mode', f.mode, 'prepare', f.prepare,
                                              'reaches', f.reaches,
                                              'whole', f.mode = 'sync' and (select m.conflict_where is null from crmshift.mapping as m where m.name = f.mapping)
                                                       and exists (select from crmshift.mapping as own
                                                                    where own.target = $1 and own.conflict_where is null and own.key = f.key))
                              order by f.position))
  from f
$_$;

-- Name: FUNCTION describe_source(of_table text); Type: COMMENT

COMMENT ON FUNCTION crmshift.describe_source(of_table text) IS 'Description of a table whose writes are synced, for trigger_statements.';

-- Name: drain(integer, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.drain(most integer DEFAULT 500, only_due boolean DEFAULT false) RETURNS TABLE(settled bigint, failed bigint, conflicts bigint)
    LANGUAGE plpgsql
    AS $$
-- Settle queued subjects, oldest first. only_due, for whoever drains all day: leave alone what waits for a person, for its
-- time, or for the end of a pause.
declare
    r record;
    e crmshift.sync_queue;
    met integer;
    state text;
    why text;
begin
    settled := 0;
    failed := 0;
    conflicts := 0;
    if only_due and exists (select from crmshift.sync_control where paused) then
        return next;
        return;
    end if;
    for e in select * from crmshift.sync_queue where key = '{}' and (not only_due or reason = 'paused') order by id loop
        begin
            perform crmshift.settle_whole(e);
            settled := settled + 1;
        exception when others then
            get stacked diagnostics state = returned_sqlstate, why = message_text;
            perform crmshift.queue_again(array[e.id], state, why);
            failed := failed + 1;
        end;
    end loop;
    -- Subjects that only one side wrote, in sets, as a bulk statement would be synced.
    for r in select o.subject, o.side, jsonb_agg(distinct o.key) as keys, array_agg(o.id) as ids, count(distinct o.key) as n,
                    jsonb_agg(distinct o.key) filter (where o.op = 'delete' and o.side = 'legacy') as deleted
               from (select * from crmshift.sync_queue as q where q.reason = 'paused' and q.attempts = 0 and q.key <> '{}' order by q.id limit most) as o
               join crmshift.mapping as m on m.name = o.subject
              where not exists (select from crmshift.sync_queue as x where x.subject = o.subject and x.key = o.key and x.side <> o.side)
              group by o.subject, o.side, m.position order by m.position loop
        begin
            perform crmshift.sync_subjects(r.subject, r.keys, r.side);
            conflicts := conflicts + crmshift.log_escaped(r.subject, r.deleted);
            delete from crmshift.sync_queue where id = any (r.ids);
            settled := settled + r.n;
        exception when others then
            null;  -- one of them is bad: one by one, below
        end;
    end loop;
    for r in select q.subject, q.key, array_agg(q.id) as ids
               from crmshift.sync_queue as q join crmshift.mapping as m on m.name = q.subject
              where q.reason not in ('nested', 'manual') and q.key <> '{}'
              group by q.subject, q.key, m.position
             having not only_due or bool_or(q.attempts = 0 and q.reason not in ('failed', 'not_converged')
                                            or crmshift.is_transient(q.sqlstate) and coalesce(q.retry_at <= clock_timestamp(), true))
              order by min(q.attempts), m.position, min(q.id) limit greatest(most - settled, 1) loop
        begin
            met := crmshift.settle_row(r.subject, r.key);
            conflicts := conflicts + coalesce(met, 1);
            settled := settled + (met is not null)::integer;
        exception when others then
            get stacked diagnostics state = returned_sqlstate, why = message_text;
            perform crmshift.queue_again(r.ids, state, why);
            failed := failed + 1;
        end;
    end loop;
    return next;
end
$$;

-- Name: FUNCTION drain(most integer, only_due boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.drain(most integer, only_due boolean) IS 'Settle queued subjects; returns how many were settled, failed again, and were conflicts. only_due: what is worth another try now.';

-- Name: drift(text, uuid); Type: FUNCTION

CREATE FUNCTION crmshift.drift(of_mapping text, of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(key jsonb, kind text, columns text[])
    LANGUAGE plpgsql STABLE
    AS $_$
begin
    if not exists (select from crmshift.mapping as m where m.name = of_mapping) then
        raise exception 'There is no mapping named %.', of_mapping
            using errcode = 'SH001', hint = 'select name from crmshift.mapping lists them.';
    end if;
    return query execute format('select d.key, d.kind, d.columns from crmshift.%I($1) as d', 'drift_' || of_mapping) using of_workspace;
end
$_$;

-- Name: FUNCTION drift(of_mapping text, of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.drift(of_mapping text, of_workspace uuid) IS 'Where a table differs from its mapping: key, kind (missing, extra, differs) and the columns that differ.';

-- Name: drift_appointments(uuid, jsonb, jsonb, double precision, bigint, boolean, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.drift_appointments(of_workspace uuid DEFAULT NULL::uuid, after jsonb DEFAULT NULL::jsonb, up_to jsonb DEFAULT NULL::jsonb, percent double precision DEFAULT NULL::double precision, seed bigint DEFAULT 0, columns_too boolean DEFAULT true, every_row boolean DEFAULT false) RETURNS TABLE(key jsonb, kind text, columns text[])
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- Where public.appointments differs from crmshift.appointments_expected, in a range of keys or a sample of them. One statement, so one snapshot: no false alarms
-- under live writes. It is inlined, so that what is not asked for costs nothing.
select jsonb_build_object('id', coalesce(e.id, t.id)),
       case when t.id is null then 'missing' when e.id is null then 'extra' when $6 and ((t.contact_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) is distinct from (e.contact_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent)) then 'differs' end,
       case when t.id is not null and e.id is not null
            then array_remove(array[
                        case when t.contact_id is distinct from e.contact_id then 'contact_id' end,
                        case when t.scheduled_at is distinct from e.scheduled_at then 'scheduled_at' end,
                        case when t.apptdate is distinct from e.apptdate then 'apptdate' end,
                        case when t.status is distinct from e.status then 'status' end,
                        case when t.reminder_sent is distinct from e.reminder_sent then 'reminder_sent' end], null) end
  from (select * from crmshift.appointments_expected as e where ($2 is null or e.id > ($2 ->> 'id')::bigint) and ($3 is null or e.id <= ($3 ->> 'id')::bigint) and ($4 is null or hash_record_extended(row(e.id::bigint), $5) & 1048575 < $4 / 100 * 1048576)) as e
  full join (select * from public.appointments as t where ($2 is null or t.id > ($2 ->> 'id')::bigint) and ($3 is null or t.id <= ($3 ->> 'id')::bigint) and ($4 is null or hash_record_extended(row(t.id::bigint), $5) & 1048575 < $4 / 100 * 1048576)) as t on t.id = e.id
 where $7 or t.id is null or e.id is null or $6 and ((t.contact_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) is distinct from (e.contact_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent))
$_$;

-- Name: drift_contact_custom_fields(uuid, jsonb, jsonb, double precision, bigint, boolean, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.drift_contact_custom_fields(of_workspace uuid DEFAULT NULL::uuid, after jsonb DEFAULT NULL::jsonb, up_to jsonb DEFAULT NULL::jsonb, percent double precision DEFAULT NULL::double precision, seed bigint DEFAULT 0, columns_too boolean DEFAULT true, every_row boolean DEFAULT false) RETURNS TABLE(key jsonb, kind text, columns text[])
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- Where public.contact_custom_fields differs from crmshift.contact_custom_fields_expected, in a range of keys or a sample of them. One statement, so one snapshot: no false alarms
-- under live writes. It is inlined, so that what is not asked for costs nothing.
select jsonb_build_object('contact_id', coalesce(e.contact_id, t.contact_id), 'field_id', coalesce(e.field_id, t.field_id)),
       case when t.contact_id is null then 'missing' when e.contact_id is null then 'extra' when $6 and ((t.value, t.created_at) is distinct from (e.value, e.created_at)) then 'differs' end,
       case when t.contact_id is not null and e.contact_id is not null
            then array_remove(array[
                        case when t.value is distinct from e.value then 'value' end,
                        case when t.created_at is distinct from e.created_at then 'created_at' end], null) end
  from (select * from crmshift.contact_custom_fields_expected as e where ($2 is null or e.contact_id >= ($2 ->> 'contact_id')::uuid and (e.contact_id > ($2 ->> 'contact_id')::uuid or e.field_id > ($2 ->> 'field_id')::uuid)) and ($3 is null or e.contact_id <= ($3 ->> 'contact_id')::uuid and (e.contact_id < ($3 ->> 'contact_id')::uuid or e.field_id <= ($3 ->> 'field_id')::uuid)) and ($4 is null or hash_record_extended(row(e.contact_id::uuid, e.field_id::uuid), $5) & 1048575 < $4 / 100 * 1048576)) as e
  full join (select * from public.contact_custom_fields as t where ($2 is null or t.contact_id >= ($2 ->> 'contact_id')::uuid and (t.contact_id > ($2 ->> 'contact_id')::uuid or t.field_id > ($2 ->> 'field_id')::uuid)) and ($3 is null or t.contact_id <= ($3 ->> 'contact_id')::uuid and (t.contact_id < ($3 ->> 'contact_id')::uuid or t.field_id <= ($3 ->> 'field_id')::uuid)) and ($4 is null or hash_record_extended(row(t.contact_id::uuid, t.field_id::uuid), $5) & 1048575 < $4 / 100 * 1048576)) as t on t.contact_id = e.contact_id and t.field_id = e.field_id
 where $7 or t.contact_id is null or e.contact_id is null or $6 and ((t.value, t.created_at) is distinct from (e.value, e.created_at))
$_$;

-- Name: drift_contacts(uuid, jsonb, jsonb, double precision, bigint, boolean, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.drift_contacts(of_workspace uuid DEFAULT NULL::uuid, after jsonb DEFAULT NULL::jsonb, up_to jsonb DEFAULT NULL::jsonb, percent double precision DEFAULT NULL::double precision, seed bigint DEFAULT 0, columns_too boolean DEFAULT true, every_row boolean DEFAULT false) RETURNS TABLE(key jsonb, kind text, columns text[])
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- Where public.contacts differs from crmshift.contacts_expected, in a range of keys or a sample of them. One statement, so one snapshot: no false alarms
-- under live writes. It is inlined, so that what is not asked for costs nothing.
select jsonb_build_object('id', coalesce(e.id, t.id)),
       case when t.id is null then 'missing' when e.id is null then 'extra' when $6 and ((t.workspace_id, t.firstname, t.lastname, t.email, t.phone_number, t.st_address, t.city, t.state, t.zip, t.lead_source, t.lead_status, t.appointment_status, t.created_at, t.updated_at) is distinct from (e.workspace_id, e.firstname, e.lastname, e.email, e.phone_number, e.st_address, e.city, e.state, e.zip, e.lead_source, e.lead_status, e.appointment_status, e.created_at, e.updated_at)) then 'differs' end,
       case when t.id is not null and e.id is not null
            then array_remove(array[
                        case when t.workspace_id is distinct from e.workspace_id then 'workspace_id' end,
                        case when t.firstname is distinct from e.firstname then 'firstname' end,
                        case when t.lastname is distinct from e.lastname then 'lastname' end,
                        case when t.email is distinct from e.email then 'email' end,
                        case when t.phone_number is distinct from e.phone_number then 'phone_number' end,
                        case when t.st_address is distinct from e.st_address then 'st_address' end,
                        case when t.city is distinct from e.city then 'city' end,
                        case when t.state is distinct from e.state then 'state' end,
                        case when t.zip is distinct from e.zip then 'zip' end,
                        case when t.lead_source is distinct from e.lead_source then 'lead_source' end,
                        case when t.lead_status is distinct from e.lead_status then 'lead_status' end,
                        case when t.appointment_status is distinct from e.appointment_status then 'appointment_status' end,
                        case when t.created_at is distinct from e.created_at then 'created_at' end,
                        case when t.updated_at is distinct from e.updated_at then 'updated_at' end], null) end
  from (select * from crmshift.contacts_expected as e where ($2 is null or e.id > ($2 ->> 'id')::uuid) and ($3 is null or e.id <= ($3 ->> 'id')::uuid) and ($4 is null or hash_record_extended(row(e.id::uuid), $5) & 1048575 < $4 / 100 * 1048576) and ($1 is null or e.workspace_id = $1)) as e
  full join (select * from public.contacts as t where ($2 is null or t.id > ($2 ->> 'id')::uuid) and ($3 is null or t.id <= ($3 ->> 'id')::uuid) and ($4 is null or hash_record_extended(row(t.id::uuid), $5) & 1048575 < $4 / 100 * 1048576) and ($1 is null or t.workspace_id = $1)) as t on t.id = e.id
 where $7 or t.id is null or e.id is null or $6 and ((t.workspace_id, t.firstname, t.lastname, t.email, t.phone_number, t.st_address, t.city, t.state, t.zip, t.lead_source, t.lead_status, t.appointment_status, t.created_at, t.updated_at) is distinct from (e.workspace_id, e.firstname, e.lastname, e.email, e.phone_number, e.st_address, e.city, e.state, e.zip, e.lead_source, e.lead_status, e.appointment_status, e.created_at, e.updated_at))
$_$;

-- Name: drift_customer_custom_fields(uuid, jsonb, jsonb, double precision, bigint, boolean, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.drift_customer_custom_fields(of_workspace uuid DEFAULT NULL::uuid, after jsonb DEFAULT NULL::jsonb, up_to jsonb DEFAULT NULL::jsonb, percent double precision DEFAULT NULL::double precision, seed bigint DEFAULT 0, columns_too boolean DEFAULT true, every_row boolean DEFAULT false) RETURNS TABLE(key jsonb, kind text, columns text[])
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- Where public.customer_custom_fields differs from crmshift.customer_custom_fields_expected, in a range of keys or a sample of them. One statement, so one snapshot: no false alarms
-- under live writes. It is inlined, so that what is not asked for costs nothing.
select jsonb_build_object('customer_id', coalesce(e.customer_id, t.customer_id), 'field_id', coalesce(e.field_id, t.field_id)),
       case when t.customer_id is null then 'missing' when e.customer_id is null then 'extra' when $6 and ((t.workspace_id, t.value, t.created_at) is distinct from (e.workspace_id, e.value, e.created_at)) then 'differs' end,
       case when t.customer_id is not null and e.customer_id is not null
            then array_remove(array[
                        case when t.workspace_id is distinct from e.workspace_id then 'workspace_id' end,
                        case when t.value is distinct from e.value then 'value' end,
                        case when t.created_at is distinct from e.created_at then 'created_at' end], null) end
  from (select * from crmshift.customer_custom_fields_expected as e where ($2 is null or e.customer_id >= ($2 ->> 'customer_id')::uuid and (e.customer_id > ($2 ->> 'customer_id')::uuid or e.field_id > ($2 ->> 'field_id')::uuid)) and ($3 is null or e.customer_id <= ($3 ->> 'customer_id')::uuid and (e.customer_id < ($3 ->> 'customer_id')::uuid or e.field_id <= ($3 ->> 'field_id')::uuid)) and ($4 is null or hash_record_extended(row(e.customer_id::uuid, e.field_id::uuid), $5) & 1048575 < $4 / 100 * 1048576) and ($1 is null or e.workspace_id = $1)) as e
  full join (select * from public.customer_custom_fields as t where ($2 is null or t.customer_id >= ($2 ->> 'customer_id')::uuid and (t.customer_id > ($2 ->> 'customer_id')::uuid or t.field_id > ($2 ->> 'field_id')::uuid)) and ($3 is null or t.customer_id <= ($3 ->> 'customer_id')::uuid and (t.customer_id < ($3 ->> 'customer_id')::uuid or t.field_id <= ($3 ->> 'field_id')::uuid)) and ($4 is null or hash_record_extended(row(t.customer_id::uuid, t.field_id::uuid), $5) & 1048575 < $4 / 100 * 1048576) and ($1 is null or t.workspace_id = $1)) as t on t.customer_id = e.customer_id and t.field_id = e.field_id
 where $7 or t.customer_id is null or e.customer_id is null or $6 and ((t.workspace_id, t.value, t.created_at) is distinct from (e.workspace_id, e.value, e.created_at))
$_$;

-- Name: drift_customers(uuid, jsonb, jsonb, double precision, bigint, boolean, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.drift_customers(of_workspace uuid DEFAULT NULL::uuid, after jsonb DEFAULT NULL::jsonb, up_to jsonb DEFAULT NULL::jsonb, percent double precision DEFAULT NULL::double precision, seed bigint DEFAULT 0, columns_too boolean DEFAULT true, every_row boolean DEFAULT false) RETURNS TABLE(key jsonb, kind text, columns text[])
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- Where public.customers differs from crmshift.customers_expected, in a range of keys or a sample of them. One statement, so one snapshot: no false alarms
-- under live writes. It is inlined, so that what is not asked for costs nothing.
select jsonb_build_object('cst_id', coalesce(e.cst_id, t.cst_id)),
       case when t.cst_id is null then 'missing' when e.cst_id is null then 'extra' when $6 and ((t.workspace_id, t.firstname, t.lastname, t.email, t.phone1, t.address1, t.city, t.state, t.zip, t.dateadded) is distinct from (e.workspace_id, e.firstname, e.lastname, e.email, e.phone1, e.address1, e.city, e.state, e.zip, e.dateadded) or (t.lastchanged is not distinct from e.lastchanged
      or coalesce(t.lastchanged, '-infinity') <= e.lastchanged
         and exists (select from public.leads as l where l.customer_id = e.cst_id and l.is_primary)) is not true) then 'differs' end,
       case when t.cst_id is not null and e.cst_id is not null
            then array_remove(array[
                        case when t.workspace_id is distinct from e.workspace_id then 'workspace_id' end,
                        case when t.firstname is distinct from e.firstname then 'firstname' end,
                        case when t.lastname is distinct from e.lastname then 'lastname' end,
                        case when t.email is distinct from e.email then 'email' end,
                        case when t.phone1 is distinct from e.phone1 then 'phone1' end,
                        case when t.address1 is distinct from e.address1 then 'address1' end,
                        case when t.city is distinct from e.city then 'city' end,
                        case when t.state is distinct from e.state then 'state' end,
                        case when t.zip is distinct from e.zip then 'zip' end,
                        case when t.dateadded is distinct from e.dateadded then 'dateadded' end,
                        case when (t.lastchanged is not distinct from e.lastchanged
      or coalesce(t.lastchanged, '-infinity') <= e.lastchanged
         and exists (select from public.leads as l where l.customer_id = e.cst_id and l.is_primary)) is not true then 'lastchanged' end], null) end
  from (select * from crmshift.customers_expected as e where ($2 is null or e.cst_id > ($2 ->> 'cst_id')::uuid) and ($3 is null or e.cst_id <= ($3 ->> 'cst_id')::uuid) and ($4 is null or hash_record_extended(row(e.cst_id::uuid), $5) & 1048575 < $4 / 100 * 1048576) and ($1 is null or e.workspace_id = $1)) as e
  full join (select * from public.customers as t where ($2 is null or t.cst_id > ($2 ->> 'cst_id')::uuid) and ($3 is null or t.cst_id <= ($3 ->> 'cst_id')::uuid) and ($4 is null or hash_record_extended(row(t.cst_id::uuid), $5) & 1048575 < $4 / 100 * 1048576) and ($1 is null or t.workspace_id = $1)) as t on t.cst_id = e.cst_id
 where $7 or t.cst_id is null or e.cst_id is null or $6 and ((t.workspace_id, t.firstname, t.lastname, t.email, t.phone1, t.address1, t.city, t.state, t.zip, t.dateadded) is distinct from (e.workspace_id, e.firstname, e.lastname, e.email, e.phone1, e.address1, e.city, e.state, e.zip, e.dateadded) or (t.lastchanged is not distinct from e.lastchanged
      or coalesce(t.lastchanged, '-infinity') <= e.lastchanged
         and exists (select from public.leads as l where l.customer_id = e.cst_id and l.is_primary)) is not true)
$_$;

-- Name: drift_lead_appointments(uuid, jsonb, jsonb, double precision, bigint, boolean, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.drift_lead_appointments(of_workspace uuid DEFAULT NULL::uuid, after jsonb DEFAULT NULL::jsonb, up_to jsonb DEFAULT NULL::jsonb, percent double precision DEFAULT NULL::double precision, seed bigint DEFAULT 0, columns_too boolean DEFAULT true, every_row boolean DEFAULT false) RETURNS TABLE(key jsonb, kind text, columns text[])
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- Where public.lead_appointments differs from crmshift.lead_appointments_expected, in a range of keys or a sample of them. One statement, so one snapshot: no false alarms
-- under live writes. It is inlined, so that what is not asked for costs nothing.
select jsonb_build_object('id', coalesce(e.id, t.id)),
       case when t.id is null then 'missing' when e.id is null then 'extra' when $6 and ((t.lead_id, t.workspace_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) is distinct from (e.lead_id, e.workspace_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent)) then 'differs' end,
       case when t.id is not null and e.id is not null
            then array_remove(array[
                        case when t.lead_id is distinct from e.lead_id then 'lead_id' end,
                        case when t.workspace_id is distinct from e.workspace_id then 'workspace_id' end,
                        case when t.scheduled_at is distinct from e.scheduled_at then 'scheduled_at' end,
                        case when t.apptdate is distinct from e.apptdate then 'apptdate' end,
                        case when t.status is distinct from e.status then 'status' end,
                        case when t.reminder_sent is distinct from e.reminder_sent then 'reminder_sent' end], null) end
  from (select * from crmshift.lead_appointments_expected as e where ($2 is null or e.id > ($2 ->> 'id')::bigint) and ($3 is null or e.id <= ($3 ->> 'id')::bigint) and ($4 is null or hash_record_extended(row(e.id::bigint), $5) & 1048575 < $4 / 100 * 1048576) and ($1 is null or e.workspace_id = $1)) as e
  full join (select * from public.lead_appointments as t where ($2 is null or t.id > ($2 ->> 'id')::bigint) and ($3 is null or t.id <= ($3 ->> 'id')::bigint) and ($4 is null or hash_record_extended(row(t.id::bigint), $5) & 1048575 < $4 / 100 * 1048576) and ($1 is null or t.workspace_id = $1) and exists (select from public.leads as l where l.id = t.lead_id and l.is_primary)) as t on t.id = e.id
 where $7 or t.id is null or e.id is null or $6 and ((t.lead_id, t.workspace_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) is distinct from (e.lead_id, e.workspace_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent))
$_$;

-- Name: drift_leads(uuid, jsonb, jsonb, double precision, bigint, boolean, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.drift_leads(of_workspace uuid DEFAULT NULL::uuid, after jsonb DEFAULT NULL::jsonb, up_to jsonb DEFAULT NULL::jsonb, percent double precision DEFAULT NULL::double precision, seed bigint DEFAULT 0, columns_too boolean DEFAULT true, every_row boolean DEFAULT false) RETURNS TABLE(key jsonb, kind text, columns text[])
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- Where public.leads differs from crmshift.leads_expected, in a range of keys or a sample of them. One statement, so one snapshot: no false alarms
-- under live writes. It is inlined, so that what is not asked for costs nothing.
select jsonb_build_object('customer_id', coalesce(e.customer_id, t.customer_id)),
       case when t.customer_id is null then 'missing' when e.customer_id is null then 'extra' when $6 and ((t.workspace_id, t.is_primary, t.source, t.disposition, t.appointment_status, t.entrydate) is distinct from (e.workspace_id, e.is_primary, e.source, e.disposition, e.appointment_status, e.entrydate) or (t.lastchangedon is not distinct from e.lastchangedon
      or coalesce(t.lastchangedon, '-infinity') <= e.lastchangedon
         and exists (select from public.customers as o where o.cst_id = e.customer_id and o.lastchanged = e.lastchangedon)) is not true) then 'differs' end,
       case when t.customer_id is not null and e.customer_id is not null
            then array_remove(array[
                        case when t.workspace_id is distinct from e.workspace_id then 'workspace_id' end,
                        case when t.is_primary is distinct from e.is_primary then 'is_primary' end,
                        case when t.source is distinct from e.source then 'source' end,
                        case when t.disposition is distinct from e.disposition then 'disposition' end,
                        case when t.appointment_status is distinct from e.appointment_status then 'appointment_status' end,
                        case when t.entrydate is distinct from e.entrydate then 'entrydate' end,
                        case when (t.lastchangedon is not distinct from e.lastchangedon
      or coalesce(t.lastchangedon, '-infinity') <= e.lastchangedon
         and exists (select from public.customers as o where o.cst_id = e.customer_id and o.lastchanged = e.lastchangedon)) is not true then 'lastchangedon' end], null) end
  from (select * from crmshift.leads_expected as e where ($2 is null or e.customer_id > ($2 ->> 'customer_id')::uuid) and ($3 is null or e.customer_id <= ($3 ->> 'customer_id')::uuid) and ($4 is null or hash_record_extended(row(e.customer_id::uuid), $5) & 1048575 < $4 / 100 * 1048576) and ($1 is null or e.workspace_id = $1)) as e
  full join (select * from public.leads as t where ($2 is null or t.customer_id > ($2 ->> 'customer_id')::uuid) and ($3 is null or t.customer_id <= ($3 ->> 'customer_id')::uuid) and ($4 is null or hash_record_extended(row(t.customer_id::uuid), $5) & 1048575 < $4 / 100 * 1048576) and ($1 is null or t.workspace_id = $1) and t.is_primary) as t on t.customer_id = e.customer_id
 where $7 or t.customer_id is null or e.customer_id is null or $6 and ((t.workspace_id, t.is_primary, t.source, t.disposition, t.appointment_status, t.entrydate) is distinct from (e.workspace_id, e.is_primary, e.source, e.disposition, e.appointment_status, e.entrydate) or (t.lastchangedon is not distinct from e.lastchangedon
      or coalesce(t.lastchangedon, '-infinity') <= e.lastchangedon
         and exists (select from public.customers as o where o.cst_id = e.customer_id and o.lastchanged = e.lastchangedon)) is not true)
$_$;

-- Name: elect_or_queue(uuid[], uuid[], uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.elect_or_queue(customer_ids uuid[], demoted uuid[], closed uuid[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- Elect; where that fails, halve the customers until the bad ones stand alone, and queue those. A drain elects before it settles.
declare
    half integer := cardinality(customer_ids) / 2;
    state text; why text; violated text; in_table text; in_column text;
begin
    begin
        perform crmshift.elect_primary_lead(customer_ids, demoted, closed);
        return;
    exception when others then
        get stacked diagnostics state = returned_sqlstate, why = message_text, violated = constraint_name,
                                in_table = table_name, in_column = column_name;
        if exists (select from crmshift.sync_control as c where c.entity = 'customer' and c.on_error = 'raise') then
            raise;
        end if;
    end;
    if state in ('55P03', '40P01') then
        perform set_config('lock_timeout', '10ms', true);  -- the full wait was spent above
    end if;
    if half > 0 then
        perform crmshift.elect_or_queue(customer_ids[:half], demoted, closed);
        perform crmshift.elect_or_queue(customer_ids[half + 1:], demoted, closed);
    else
        insert into crmshift.sync_queue (subject, key, side, reason, sqlstate, message, constraint_name, table_name, column_name)
        values ('contacts', jsonb_build_object('id', customer_ids[1]), 'target', 'failed', state, why,
                nullif(violated, ''), nullif(in_table, ''), nullif(in_column, ''));
    end if;
end
$$;

-- Name: FUNCTION elect_or_queue(customer_ids uuid[], demoted uuid[], closed uuid[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.elect_or_queue(customer_ids uuid[], demoted uuid[], closed uuid[]) IS 'Elect primary leads; customers for whom that fails are queued. Raises only where the entity customer is set to.';

-- Name: elect_primary_lead(uuid[], uuid[], uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.elect_primary_lead(customer_ids uuid[], demoted uuid[] DEFAULT '{}'::uuid[], closed uuid[] DEFAULT '{}'::uuid[]) RETURNS void
    LANGUAGE plpgsql
    AS $_$
-- Give each of these customers that has leads but no primary one the lead that the rule chooses. Of the customers in
-- `closed`, a primary lead that is closed makes way first, where there is an open one. The writes are ordinary ones.
declare
    vacant uuid[];
    finished uuid[];
begin
    for pass in 1 .. 2 loop
        vacant := crmshift.without_primary_lead(customer_ids);
        select array_agg(l.id) into finished
          from public.leads as l cross join crmshift.primary_lead_rule as r
         where l.customer_id = any ($3) and l.is_primary and l.disposition = any (r.closed)
           and exists (select from public.leads as o
                        where o.customer_id = l.customer_id and coalesce(o.disposition <> all (r.closed), true));
        if vacant is null and finished is null then
            return;
        end if;
        if pass = 1 then
            -- The contact's row is the lock of everything about one customer. What was found is looked at anew under it.
            perform from public.contacts as c where c.id = any (customer_ids) order by c.id for no key update of c;
        end if;
    end loop;
    if finished is not null then
        update public.leads as l set is_primary = false where l.id = any (finished);
        vacant := crmshift.without_primary_lead(customer_ids);
    end if;
    update public.leads as l set is_primary = true
     where l.id in (select n.lead_id from crmshift.next_primary_lead(vacant, demoted) as n);
end
$_$;

-- Name: FUNCTION elect_primary_lead(customer_ids uuid[], demoted uuid[], closed uuid[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.elect_primary_lead(customer_ids uuid[], demoted uuid[], closed uuid[]) IS 'Elect a primary lead where a customer has leads and no primary one: select crmshift.elect_primary_lead(array[''customer id''::uuid]).';

-- Name: ensure_parents(text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.ensure_parents(of_mapping text, keys jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $_$
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
            -- A parent whose delete waits in the queue is not brought back by its children.
            select jsonb_agg(k.key) into parent_keys
              from jsonb_array_elements(parent_keys) as k (key)
             where not exists (select from crmshift.mapping_subject as s
                                 join crmshift.sync_queue as q on q.subject = s.subject
                                  and q.key = crmshift.rename_keys(jsonb_build_array(k.key), s.columns, s.key) -> 0
                                where s.mapping = p.mapping and q.op = 'delete'
                                  and q.side = case f.direction when 'to_target' then 'target' else 'legacy' end);
            if parent_keys is not null and crmshift.call_writer('fill', p.mapping, parent_keys) > 0 then
                perform crmshift.lock_sources(p.mapping, parent_keys);
                perform crmshift.call_writer('sync', p.mapping, parent_keys);
            end if;
        end loop;
    end loop;
end
$_$;

-- Name: FUNCTION ensure_parents(of_mapping text, keys jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.ensure_parents(of_mapping text, keys jsonb) IS 'Make sure that the rows exist which these keys of a mapping depend on.';

-- Name: ensure_subject(text, jsonb, text); Type: FUNCTION

CREATE FUNCTION crmshift.ensure_subject(of_subject text, of_key jsonb, written text) RETURNS void
    LANGUAGE plpgsql
    AS $$
declare
    before text := coalesce(current_setting('crmshift.depth', true), '');
    m record;
begin
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    for m in select * from crmshift.mappings_of(of_subject, written) loop
        perform crmshift.ensure_parents(m.name, crmshift.rename_keys(jsonb_build_array(of_key), m.columns, m.key));
        perform crmshift.call_writer('fill', m.name, crmshift.rename_keys(jsonb_build_array(of_key), m.columns, m.key));
    end loop;
    if before = '' and current_setting('crmshift.noted', true) = 'yes' then
        perform crmshift.settle_nested();
    end if;
    perform set_config('crmshift.depth', before, true);
end
$$;

-- Name: FUNCTION ensure_subject(of_subject text, of_key jsonb, written text); Type: COMMENT

COMMENT ON FUNCTION crmshift.ensure_subject(of_subject text, of_key jsonb, written text) IS 'Make sure that the rows are there which are made of a subject; leaves them alone where they are.';

-- Name: archive; Type: TABLE

CREATE TABLE crmshift.archive (
    id bigint NOT NULL,
    table_name text NOT NULL,
    key jsonb NOT NULL,
    row_data jsonb NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

-- Name: TABLE archive; Type: COMMENT

COMMENT ON TABLE crmshift.archive IS 'Rows of the target that legacy has no place for and whose owner was deleted in legacy: kept, never silently lost.';

-- Name: COLUMN archive.table_name; Type: COMMENT

COMMENT ON COLUMN crmshift.archive.table_name IS 'Table the row stood in.';

-- Name: COLUMN archive.key; Type: COMMENT

COMMENT ON COLUMN crmshift.archive.key IS 'Its primary key.';

-- Name: COLUMN archive.row_data; Type: COMMENT

COMMENT ON COLUMN crmshift.archive.row_data IS 'The whole row.';

-- Name: COLUMN archive.reason; Type: COMMENT

COMMENT ON COLUMN crmshift.archive.reason IS 'Why it was taken away.';

-- Name: COLUMN archive.at; Type: COMMENT

COMMENT ON COLUMN crmshift.archive.at IS 'When.';

-- Name: explain_archive(text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.explain_archive(of_subject text, of_key jsonb) RETURNS SETOF crmshift.archive
    LANGUAGE sql STABLE
    AS $_$
-- Archived rows that are about this subject, and archived rows that hung on those, as foreign keys tell.
with recursive found as (
    select a.* from crmshift.archive as a
      join crmshift.source_subject as s on s.source = a.table_name and s.subject = $1
     where $2 = (select jsonb_object_agg(k, a.row_data -> c) from unnest(s.key, s.columns) as u (k, c))
    union
    select a.*
      from found as f
      join pg_catalog.pg_constraint as fk on fk.confrelid = to_regclass(f.table_name) and fk.contype = 'f'
      join crmshift.archive as a on to_regclass(a.table_name) = fk.conrelid
     where (select bool_and(a.row_data -> c.attname = f.row_data -> p.attname)
              from unnest(fk.conkey, fk.confkey) as u (child, parent)
              join pg_catalog.pg_attribute as c on c.attrelid = fk.conrelid and c.attnum = u.child
              join pg_catalog.pg_attribute as p on p.attrelid = fk.confrelid and p.attnum = u.parent)
)
select * from found order by id
$_$;

-- Name: FUNCTION explain_archive(of_subject text, of_key jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.explain_archive(of_subject text, of_key jsonb) IS 'What of a row of legacy, and of what hung on it, is in the archive.';

-- Name: explain_children(text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.explain_children(of_subject text, of_key jsonb) RETURNS TABLE(subject text, key jsonb)
    LANGUAGE plpgsql STABLE
    AS $_$
-- What hangs on a row of legacy, as either side has it: the subjects of tables that feed it as a parent.
declare
    c record;
begin
    for c in select child.subject, child.source, m.name || '_expected' as view,
                    (select string_agg(format('%L, r.%I', k, col), ', ' order by i) from unnest(child.key, child.columns) with ordinality as u (k, col, i)) as named,
                    (select string_agg(format('r.%I = ($1 ->> %L)::%s', col, k, t), ' and ')
                       from crmshift.mapping as p, unnest(p.key, p.key_types) as key (name, t), unnest(parent.key, parent.columns) as u (k, col)
                      where p.name = parent.subject and key.name = u.k) as is_parent
               from crmshift.source_subject as child
               join crmshift.source_subject as parent on parent.source = child.source and parent.mode = 'fill' and parent.subject = of_subject
               join crmshift.mapping as m on m.name = child.subject and m.target = child.source
              where child.mode = 'sync' and child.side = 'legacy'
              order by m.position loop
        return query execute format(
            'select %1$L::text, k.key from (select jsonb_build_object(%2$s) from %3$s as r where %5$s union select jsonb_build_object(%2$s) from crmshift.%4$I as r where %5$s) as k (key) order by k.key',
            c.subject, c.named, c.source::regclass, c.view, c.is_parent) using of_key;
    end loop;
end
$_$;

-- Name: FUNCTION explain_children(of_subject text, of_key jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.explain_children(of_subject text, of_key jsonb) IS 'What hangs on a row of legacy, by subject and key, as either side has it.';

-- Name: explain_row(text, jsonb, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.explain_row(of_mapping text, of_key jsonb, show_values boolean DEFAULT false) RETURNS TABLE(column_name text, state text, is_expected boolean, is_there boolean, expected_is text, found_is text, expected jsonb, found jsonb)
    LANGUAGE plpgsql STABLE
    AS $_$
-- One row of a mapped table beside what its mapping expects. state: same, differs; agrees, where the values differ as the mapping
-- allows; missing, extra, where one of the two rows is not there; unmapped, for a column the mapping does not speak of; none, for
-- neither. What differs verdict_<mapping> says.
begin
    return query execute (
        select format($sql$
            select c.name, case when not c.mapped then 'unmapped' when not p.e and not p.t then 'none'
                                when not p.t then 'missing' when not p.e then 'extra'
                                when c.name = any (v.columns) then 'differs' when v.expected -> c.name <> t.row_data -> c.name then 'agrees' else 'same' end,
                   p.e, p.t, crmshift.looks_like(v.expected -> c.name, c.is_text), crmshift.looks_like(t.row_data -> c.name, c.is_text),
                   case when $2 then v.expected -> c.name end, case when $2 then t.row_data -> c.name end
              from (select) as one
              left join crmshift.%1$I(jsonb_build_array($1)) as v on true
              left join (select to_jsonb(t) as row_data from %2$s as t where %3$s%4$s) as t on true
             cross join lateral (select v.expected is not null as e, t.row_data is not null as t) as p
             cross join lateral (values %5$s) as c (name, mapped, is_text)$sql$,
               'verdict_' || m.name, m.target::regclass,
               (select string_agg(format('t.%I = ($1 ->> %L)::%s', k, k, ty), ' and ') from unnest(m.key, m.key_types) as u (k, ty)),
               coalesce(' and ' || m.only_where, ''),
               (select string_agg(format('(%L, %L::boolean, %L::boolean)', a.attname, v.attname is not null, ty.typcategory = 'S'), ', ' order by v.attnum is null, v.attnum, a.attnum)
                  from pg_catalog.pg_attribute as a
                  join pg_catalog.pg_type as ty on ty.oid = a.atttypid
                  left join pg_catalog.pg_attribute as v on v.attrelid = to_regclass(format('crmshift.%I', m.name || '_expected')) and v.attname = a.attname
                 where a.attrelid = m.target::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''))
          from crmshift.mapping as m where m.name = of_mapping)
    using of_key, show_values;
end
$_$;

-- Name: FUNCTION explain_row(of_mapping text, of_key jsonb, show_values boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.explain_row(of_mapping text, of_key jsonb, show_values boolean) IS 'One row beside what its mapping expects, column by column; values only where asked for: select * from crmshift.explain_row(''customers'', ''{"cst_id": "…"}'').';

-- Name: explain_writer(text, jsonb, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.explain_writer(of_mapping text, of_key jsonb, show_values boolean DEFAULT false) RETURNS TABLE(version text, committed_at timestamp with time zone, origin text, says jsonb)
    LANGUAGE plpgsql STABLE
    AS $_$
-- What can be known of the last writer of a row: the transaction; when it committed, and by which subscription, as long as
-- the server keeps that (track_commit_timestamp); and what the row itself says, in columns whose name tells it.
begin
    return query execute (
        select format($sql$
            select t.xmin::text, %1$s, %2$s from %3$s as t where %4$s%5$s$sql$,
               case when current_setting('track_commit_timestamp')::boolean
                    then 'pg_catalog.pg_xact_commit_timestamp(t.xmin), (select o.roname from pg_catalog.pg_xact_commit_timestamp_origin(t.xmin) as c join pg_catalog.pg_replication_origin as o on o.roident = c.roident)'
                    else 'null::timestamptz, null::text' end,
               coalesce((select format('jsonb_build_object(%s)', string_agg(
                             case when show_values then format('%L, t.%I', a.attname, a.attname)
                                  else format('%L, crmshift.looks_like(to_jsonb(t.%I), false)', a.attname, a.attname) end, ', ' order by a.attnum))
                           from pg_catalog.pg_attribute as a
                          where a.attrelid = m.target::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                            and (a.attname = any (m.clock) or a.attname ~ '^(last_?)?(changed|updated|modified)(_?(on|at|by))?$')), '''{}''::jsonb'),
               m.target::regclass,
               (select string_agg(format('t.%I = ($1 ->> %L)::%s', k, k, ty), ' and ') from unnest(m.key, m.key_types) as u (k, ty)),
               coalesce(' and ' || m.only_where, ''))
          from crmshift.mapping as m where m.name = of_mapping)
    using of_key;
end
$_$;

-- Name: FUNCTION explain_writer(of_mapping text, of_key jsonb, show_values boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.explain_writer(of_mapping text, of_key jsonb, show_values boolean) IS 'What can be known of who last wrote a row of a mapped table.';

-- Name: fill_appointments(bigint[]); Type: FUNCTION

CREATE FUNCTION crmshift.fill_appointments(of_id bigint[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Insert what public.appointments lacks of these keys, and leave alone what is there.
declare
    written bigint;
    uneven jsonb;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform crmshift.lock_sources('appointments', (select jsonb_agg(jsonb_build_object('id', k.id)) from unnest($1) as k (id)));
    end if;
    perform set_config('crmshift.writing', 'public.appointments', true);
    with d as materialized (
        select e.id, e.contact_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent
          from unnest($1) as k (id)
          join crmshift.appointments_expected as e on e.id = k.id
         where not exists (select from public.appointments as t where t.id = e.id)
    ), w as (
        insert into public.appointments as t (id, contact_id, scheduled_at, apptdate, status, reminder_sent)
        select d.id, d.contact_id, d.scheduled_at, d.apptdate, d.status, d.reminder_sent from d order by d.id
        on conflict (id) do nothing
        returning t.*
    )
    select (select count(*) from w),
           (select jsonb_agg(jsonb_build_object('id', w.id)) from w join d on w.id = d.id where (w.id, w.contact_id, w.scheduled_at, w.apptdate, w.status, w.reminder_sent) is distinct from (d.id, d.contact_id, d.scheduled_at, d.apptdate, d.status, d.reminder_sent))
      into written, uneven;
    if uneven is not null then  -- a trigger on public.appointments changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'appointments', jsonb_build_object('id', u.r -> 'id'), 'legacy', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return written;
end
$_$;

-- Name: fill_contact_custom_fields(uuid[], uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.fill_contact_custom_fields(of_contact_id uuid[], of_field_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Insert what public.contact_custom_fields lacks of these keys, and leave alone what is there.
declare
    written bigint;
    uneven jsonb;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform crmshift.lock_sources('contact_custom_fields', (select jsonb_agg(jsonb_build_object('contact_id', k.contact_id, 'field_id', k.field_id)) from unnest($1, $2) as k (contact_id, field_id)));
    end if;
    perform set_config('crmshift.writing', 'public.contact_custom_fields', true);
    with d as materialized (
        select e.contact_id, e.field_id, e.value, e.created_at
          from unnest($1, $2) as k (contact_id, field_id)
          join crmshift.contact_custom_fields_expected as e on e.contact_id = k.contact_id and e.field_id = k.field_id
         where not exists (select from public.contact_custom_fields as t where t.contact_id = e.contact_id and t.field_id = e.field_id)
    ), w as (
        insert into public.contact_custom_fields as t (contact_id, field_id, value, created_at)
        select d.contact_id, d.field_id, d.value, d.created_at from d order by d.contact_id, d.field_id
        on conflict (contact_id, field_id) do nothing
        returning t.*
    )
    select (select count(*) from w),
           (select jsonb_agg(jsonb_build_object('contact_id', w.contact_id, 'field_id', w.field_id)) from w join d on w.contact_id = d.contact_id and w.field_id = d.field_id where (w.contact_id, w.field_id, w.value, w.created_at) is distinct from (d.contact_id, d.field_id, d.value, d.created_at))
      into written, uneven;
    if uneven is not null then  -- a trigger on public.contact_custom_fields changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'contact_custom_fields', jsonb_build_object('contact_id', u.r -> 'contact_id', 'field_id', u.r -> 'field_id'), 'legacy', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return written;
end
$_$;

-- Name: fill_contacts(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.fill_contacts(of_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Insert what public.contacts lacks of these keys, and leave alone what is there.
declare
    written bigint;
    uneven jsonb;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform crmshift.lock_sources('contacts', (select jsonb_agg(jsonb_build_object('id', k.id)) from unnest($1) as k (id)));
    end if;
    perform set_config('crmshift.writing', 'public.contacts', true);
    with d as materialized (
        select e.id, e.workspace_id, e.firstname, e.lastname, e.email, e.phone_number, e.st_address, e.city, e.state, e.zip, e.lead_source, e.lead_status, e.appointment_status, e.created_at, e.updated_at
          from unnest($1) as k (id)
          join crmshift.contacts_expected as e on e.id = k.id
         where not exists (select from public.contacts as t where t.id = e.id)
    ), w as (
        insert into public.contacts as t (id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip, lead_source, lead_status, appointment_status, created_at, updated_at)
        select d.id, d.workspace_id, d.firstname, d.lastname, d.email, d.phone_number, d.st_address, d.city, d.state, d.zip, d.lead_source, d.lead_status, d.appointment_status, d.created_at, d.updated_at from d order by d.id
        on conflict (id) do nothing
        returning t.*
    )
    select (select count(*) from w),
           (select jsonb_agg(jsonb_build_object('id', w.id)) from w join d on w.id = d.id where (w.id, w.workspace_id, w.firstname, w.lastname, w.email, w.phone_number, w.st_address, w.city, w.state, w.zip, w.lead_source, w.lead_status, w.appointment_status, w.created_at, w.updated_at) is distinct from (d.id, d.workspace_id, d.firstname, d.lastname, d.email, d.phone_number, d.st_address, d.city, d.state, d.zip, d.lead_source, d.lead_status, d.appointment_status, d.created_at, d.updated_at))
      into written, uneven;
    if uneven is not null then  -- a trigger on public.contacts changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'contacts', jsonb_build_object('id', u.r -> 'id'), 'legacy', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return written;
end
$_$;

-- Name: fill_customer_custom_fields(uuid[], uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.fill_customer_custom_fields(of_customer_id uuid[], of_field_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Insert what public.customer_custom_fields lacks of these keys, and leave alone what is there.
declare
    written bigint;
    uneven jsonb;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform crmshift.lock_sources('customer_custom_fields', (select jsonb_agg(jsonb_build_object('customer_id', k.customer_id, 'field_id', k.field_id)) from unnest($1, $2) as k (customer_id, field_id)));
    end if;
    perform set_config('crmshift.writing', 'public.customer_custom_fields', true);
    with d as materialized (
        select e.customer_id, e.field_id, e.workspace_id, e.value, e.created_at
          from unnest($1, $2) as k (customer_id, field_id)
          join crmshift.customer_custom_fields_expected as e on e.customer_id = k.customer_id and e.field_id = k.field_id
         where not exists (select from public.customer_custom_fields as t where t.customer_id = e.customer_id and t.field_id = e.field_id)
    ), w as (
        insert into public.customer_custom_fields as t (customer_id, field_id, workspace_id, value, created_at)
        select d.customer_id, d.field_id, d.workspace_id, d.value, d.created_at from d order by d.customer_id, d.field_id
        on conflict (customer_id, field_id) do nothing
        returning t.*
    )
    select (select count(*) from w),
           (select jsonb_agg(jsonb_build_object('customer_id', w.customer_id, 'field_id', w.field_id)) from w join d on w.customer_id = d.customer_id and w.field_id = d.field_id where (w.customer_id, w.field_id, w.workspace_id, w.value, w.created_at) is distinct from (d.customer_id, d.field_id, d.workspace_id, d.value, d.created_at))
      into written, uneven;
    if uneven is not null then  -- a trigger on public.customer_custom_fields changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'contact_custom_fields', jsonb_build_object('contact_id', u.r -> 'customer_id', 'field_id', u.r -> 'field_id'), 'target', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return written;
end
$_$;

-- Name: fill_customers(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.fill_customers(of_cst_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Insert what public.customers lacks of these keys, and leave alone what is there.
declare
    written bigint;
    uneven jsonb;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform crmshift.lock_sources('customers', (select jsonb_agg(jsonb_build_object('cst_id', k.cst_id)) from unnest($1) as k (cst_id)));
    end if;
    perform set_config('crmshift.writing', 'public.customers', true);
    with d as materialized (
        select e.cst_id, e.workspace_id, e.firstname, e.lastname, e.email, e.phone1, e.address1, e.city, e.state, e.zip, e.dateadded, e.lastchanged
          from unnest($1) as k (cst_id)
          join crmshift.customers_expected as e on e.cst_id = k.cst_id
         where not exists (select from public.customers as t where t.cst_id = e.cst_id)
    ), w as (
        insert into public.customers as t (cst_id, workspace_id, firstname, lastname, email, phone1, address1, city, state, zip, dateadded, lastchanged)
        select d.cst_id, d.workspace_id, d.firstname, d.lastname, d.email, d.phone1, d.address1, d.city, d.state, d.zip, d.dateadded, d.lastchanged from d order by d.cst_id
        on conflict (cst_id) do nothing
        returning t.*
    )
    select (select count(*) from w),
           (select jsonb_agg(jsonb_build_object('cst_id', w.cst_id)) from w join d on w.cst_id = d.cst_id where (w.cst_id, w.workspace_id, w.firstname, w.lastname, w.email, w.phone1, w.address1, w.city, w.state, w.zip, w.dateadded, w.lastchanged) is distinct from (d.cst_id, d.workspace_id, d.firstname, d.lastname, d.email, d.phone1, d.address1, d.city, d.state, d.zip, d.dateadded, d.lastchanged))
      into written, uneven;
    if uneven is not null then  -- a trigger on public.customers changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'contacts', jsonb_build_object('id', u.r -> 'cst_id'), 'target', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return written;
end
$_$;

-- Name: fill_lead_appointments(bigint[]); Type: FUNCTION

CREATE FUNCTION crmshift.fill_lead_appointments(of_id bigint[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Insert what public.lead_appointments lacks of these keys, and leave alone what is there.
declare
    written bigint;
    uneven jsonb;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform crmshift.lock_sources('lead_appointments', (select jsonb_agg(jsonb_build_object('id', k.id)) from unnest($1) as k (id)));
    end if;
    perform set_config('crmshift.writing', 'public.lead_appointments', true);
    with d as materialized (
        select e.id, e.lead_id, e.workspace_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent
          from unnest($1) as k (id)
          join crmshift.lead_appointments_expected as e on e.id = k.id
         where not exists (select from public.lead_appointments as t where t.id = e.id and exists (select from public.leads as l where l.id = t.lead_id and l.is_primary))
    ), w as (
        insert into public.lead_appointments as t (id, lead_id, workspace_id, scheduled_at, apptdate, status, reminder_sent)
        select d.id, d.lead_id, d.workspace_id, d.scheduled_at, d.apptdate, d.status, d.reminder_sent from d order by d.id
        on conflict (id) do nothing
        returning t.*
    )
    select (select count(*) from w),
           (select jsonb_agg(jsonb_build_object('id', w.id)) from w join d on w.id = d.id where (w.id, w.lead_id, w.workspace_id, w.scheduled_at, w.apptdate, w.status, w.reminder_sent) is distinct from (d.id, d.lead_id, d.workspace_id, d.scheduled_at, d.apptdate, d.status, d.reminder_sent))
      into written, uneven;
    if uneven is not null then  -- a trigger on public.lead_appointments changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'appointments', jsonb_build_object('id', u.r -> 'id'), 'target', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return written;
end
$_$;

-- Name: fill_leads(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.fill_leads(of_customer_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Insert what public.leads lacks of these keys, and leave alone what is there.
declare
    written bigint;
    uneven jsonb;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform crmshift.lock_sources('leads', (select jsonb_agg(jsonb_build_object('customer_id', k.customer_id)) from unnest($1) as k (customer_id)));
    end if;
    perform set_config('crmshift.writing', 'public.leads', true);
    with d as materialized (
        select e.customer_id, e.workspace_id, e.is_primary, e.source, e.disposition, e.appointment_status, e.entrydate, e.lastchangedon
          from unnest($1) as k (customer_id)
          join crmshift.leads_expected as e on e.customer_id = k.customer_id
         where not exists (select from public.leads as t where t.customer_id = e.customer_id and t.is_primary)
    ), w as (
        insert into public.leads as t (customer_id, workspace_id, is_primary, source, disposition, appointment_status, entrydate, lastchangedon)
        select d.customer_id, d.workspace_id, d.is_primary, d.source, d.disposition, d.appointment_status, d.entrydate, d.lastchangedon from d order by d.customer_id
        on conflict (customer_id) where is_primary do nothing
        returning t.*
    )
    select (select count(*) from w),
           (select jsonb_agg(jsonb_build_object('customer_id', w.customer_id)) from w join d on w.customer_id = d.customer_id where (w.customer_id, w.workspace_id, w.is_primary, w.source, w.disposition, w.appointment_status, w.entrydate, w.lastchangedon) is distinct from (d.customer_id, d.workspace_id, d.is_primary, d.source, d.disposition, d.appointment_status, d.entrydate, d.lastchangedon))
      into written, uneven;
    if uneven is not null then  -- a trigger on public.leads changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'contacts', jsonb_build_object('id', u.r -> 'customer_id'), 'target', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return written;
end
$_$;

-- Name: follow_appointments(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.follow_appointments(customer_ids uuid[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
declare
    reached jsonb;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what others have written meanwhile cannot be seen
        perform crmshift.queue_whole('target', null, 'appointments');
        return;
    end if;
    perform from public.customers as c where c.cst_id = any (customer_ids) order by c.cst_id for update of c;
    if exists (select from crmshift.sync_control as c where c.entity = 'appointment' and (c.paused or c.mode = 'queued')) then
        insert into crmshift.sync_queue (subject, key, side, reason)
        select r.subject, r.key, 'target', 'paused' from crmshift.appointments_of_leads(customer_ids) as r;
        return;
    end if;
    select jsonb_agg(r.key) into reached from crmshift.appointments_of_leads(customer_ids) as r;
    if reached is not null then
        perform crmshift.sync_subjects('appointments', reached, 'target');
    end if;
exception when others then
    perform crmshift.queue_whole('target', sqlstate, 'appointments');
end
$$;

-- Name: FUNCTION follow_appointments(customer_ids uuid[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.follow_appointments(customer_ids uuid[]) IS 'After the primary lead of these customers has changed: bring to legacy what was written for it meanwhile.';

-- Name: follow_primary_lead(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.follow_primary_lead(customer_ids uuid[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- Called before contacts are written from these customers' leads. In a trigger a customer without a primary lead is left to
-- COMMIT: the statement may be the first of two. Otherwise somebody settles the queue, or repairs.
declare
    vacant uuid[];
begin
    if pg_trigger_depth() = 0 then
        vacant := crmshift.without_primary_lead(customer_ids);
    end if;
    if vacant is not null then
        perform from public.contacts as c where c.id = any (vacant) order by c.id for no key update of c;
        perform set_config('crmshift.writing', 'public.leads', true);
        update public.leads as l set is_primary = true
         where l.id in (select n.lead_id from crmshift.next_primary_lead(crmshift.without_primary_lead(vacant), '{}') as n);
    end if;
end
$$;

-- Name: FUNCTION follow_primary_lead(customer_ids uuid[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.follow_primary_lead(customer_ids uuid[]) IS 'Before what is queued is settled: a customer with leads but no primary one gets one.';

-- Name: held(text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.held(of_mapping text, keys jsonb) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
-- Whether the side that this mapping writes has a queued write of one of these subjects.
select exists (
    select from crmshift.mapping as m
      join crmshift.mapping_subject as s on s.mapping = m.name
     cross join jsonb_array_elements(crmshift.rename_keys(keys, s.columns, s.key)) as k (key)
      join crmshift.sync_queue as q on q.subject = s.subject and q.key in (k.key, '{}')
     where m.name = of_mapping and q.side = case m.direction when 'to_target' then 'target' else 'legacy' end
       and q.reason not in ('nested', 'parent'))
$$;

-- Name: FUNCTION held(of_mapping text, keys jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.held(of_mapping text, keys jsonb) IS 'Whether the table of this mapping has queued writes of its own for one of these keys, which must not be overwritten unseen.';

-- Name: hold_customers(bigint[]); Type: FUNCTION

CREATE FUNCTION crmshift.hold_customers(appointment_ids bigint[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    perform from public.customers as c
      where c.cst_id = any (array(
                select a.contact_id from unnest(appointment_ids) as k (id) join public.appointments as a on a.id = k.id
                 union
                select l.customer_id from unnest(appointment_ids) as k (id) join public.lead_appointments as a on a.id = k.id
                  join public.leads as l on l.id = a.lead_id))
      order by c.cst_id for key share of c;
end
$$;

-- Name: FUNCTION hold_customers(appointment_ids bigint[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.hold_customers(appointment_ids bigint[]) IS 'While the transaction is open, none that changes the primary lead of these appointments'' customers commits without following them.';

-- Name: identity_of(text); Type: FUNCTION

CREATE FUNCTION crmshift.identity_of(of_table text) RETURNS TABLE(column_name text, type text)
    LANGUAGE sql STABLE
    AS $_$
-- Its primary key; where it has none, the key of its mapping.
select a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod)
  from pg_catalog.pg_index as i
 cross join lateral unnest(i.indkey) with ordinality as k (attnum, n)
  join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
 where i.indrelid = to_regclass($1) and i.indisprimary
union all
select k.name, k.type
  from (select m.* from crmshift.mapping as m where m.target = $1 order by m.position limit 1) as m
 cross join unnest(m.key, m.key_types) as k (name, type)
 where not exists (select from pg_catalog.pg_index as i where i.indrelid = to_regclass($1) and i.indisprimary)
$_$;

-- Name: FUNCTION identity_of(of_table text); Type: COMMENT

COMMENT ON FUNCTION crmshift.identity_of(of_table text) IS 'The columns that identify a row of a table, and their types; none where nothing does.';

-- Name: is_outstanding(text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.is_outstanding(of_mapping text, of_key jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE
    AS $_$
-- Whether the subject stands in the queue, or one that it hangs on, or that hangs on it: an appointment goes where its contact's
-- primary lead is, and an appointment that cannot leave its contact is what makes this contact's lead.
declare
    s record;
    r record;
    subject_key jsonb;
    found_one boolean;
begin
    for s in select * from crmshift.mapping_subject where mapping = of_mapping loop
        subject_key := crmshift.rename_keys(jsonb_build_array(of_key), s.columns, s.key) -> 0;
        if exists (select from crmshift.sync_queue as q where q.subject = s.subject and q.key in (subject_key, '{}')) then
            return true;
        end if;
        for r in select child.source, queued.subject,
                        (select string_agg(format('%L, r.%I', k, col), ', ' order by i) from unnest(queued.key, queued.columns) with ordinality as u (k, col, i)) as queued_key,
                        (select string_agg(format('%L, r.%I', k, col), ', ' order by i) from unnest(own.key, own.columns) with ordinality as u (k, col, i)) as own_key
                   from crmshift.source_subject as child
                   join crmshift.source_subject as parent on parent.source = child.source and parent.mode = 'fill'
                  cross join lateral (values (child.subject, child.key, child.columns, parent.subject, parent.key, parent.columns),
                                             (parent.subject, parent.key, parent.columns, child.subject, child.key, child.columns))
                             as pair (subject, key, columns, other, other_key, other_columns)
                  cross join lateral (select pair.subject, pair.key, pair.columns) as own (subject, key, columns)
                  cross join lateral (select pair.other, pair.other_key, pair.other_columns) as queued (subject, key, columns)
                  where child.mode = 'sync' and child.whole and own.subject = s.subject
                    and exists (select from crmshift.sync_queue as q where q.subject = queued.subject) loop
            execute format('select exists (select from %s as r join crmshift.sync_queue as q on q.subject = $1 and q.key = jsonb_build_object(%s) where jsonb_build_object(%s) = $2)',
                           r.source::regclass, r.queued_key, r.own_key)
               into found_one using r.subject, subject_key;
            if found_one then
                return true;
            end if;
        end loop;
    end loop;
    return false;
end
$_$;

-- Name: FUNCTION is_outstanding(of_mapping text, of_key jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.is_outstanding(of_mapping text, of_key jsonb) IS 'Whether a row of either side need not agree with its mapping, because it stands in the sync queue.';

-- Name: is_syncing(); Type: FUNCTION

CREATE FUNCTION crmshift.is_syncing() RETURNS boolean
    LANGUAGE sql STABLE
    AS $$ select nullif(current_setting('crmshift.depth', true), '') is not null $$;

-- Name: FUNCTION is_syncing(); Type: COMMENT

COMMENT ON FUNCTION crmshift.is_syncing() IS 'True inside a sync or backfill. For your own triggers: do not send a reminder, mail or webhook for a row that only moved.';

-- Name: is_transient(text); Type: FUNCTION

CREATE FUNCTION crmshift.is_transient(sqlstate text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$ select left(sqlstate, 2) in ('40', '53', '55') $$;

-- Name: FUNCTION is_transient(sqlstate text); Type: COMMENT

COMMENT ON FUNCTION crmshift.is_transient(sqlstate text) IS 'Whether a cause passes by itself: deadlock, serialization, resources, locks. Others wait for a person.';

-- Name: is_written_here(xid); Type: FUNCTION

CREATE FUNCTION crmshift.is_written_here(written xid) RETURNS boolean
    LANGUAGE sql STABLE
    AS $_$
-- A row that can be seen, by a transaction that has not ended: this one, or a subtransaction of it. What is frozen has no age to reckon with.
select case when age($1) <= age(t.id::xid) then pg_xact_status((t.id::text::bigint + age(t.id::xid) - age($1))::text::xid8) = 'in progress' else false end
  from pg_current_xact_id() as t (id)
$_$;

-- Name: FUNCTION is_written_here(written xid); Type: COMMENT

COMMENT ON FUNCTION crmshift.is_written_here(written xid) IS 'Whether the row that has this xmin was written by the present transaction.';

-- Name: key_ranges(text, bigint); Type: FUNCTION

CREATE FUNCTION crmshift.key_ranges(of_mapping text, of_rows bigint) RETURNS TABLE(after jsonb, up_to jsonb)
    LANGUAGE plpgsql STABLE
    AS $_$
-- Ranges of about so many rows, made out from a sample of both sides: 64 rows for each range, 200 pages at least. The first has no beginning and the last no
-- end: whatever a key is, and whenever it came, one range has it.
declare
    m crmshift.mapping;
    key_columns text;
    sampled text;
begin
    select * into strict m from crmshift.mapping where name = of_mapping;
    key_columns := (select string_agg(quote_ident(k), ', ' order by i) from unnest(m.key) with ordinality as u (k, i));
    select string_agg(format('select %s, %s from %s as t tablesample system (%s)',
                             (select string_agg(format('t.%I::%s', c, ty), ', ' order by i) from unnest(s.key, m.key_types) with ordinality as u (c, ty, i)),
                             100 / z.percent / s.n, s.relid::regclass, z.percent), ' union all ')
      into sampled
      from (select x.*, count(*) over () as n
              from (select m.target::regclass as relid, m.key
                    union all
                    select f.source::regclass, f.key from crmshift.feed as f where f.mapping = of_mapping and f.mode = 'sync') as x
              join pg_catalog.pg_class as c on c.oid = x.relid and c.relkind in ('r', 'p', 'm')) as s
     cross join lateral (select least(100, greatest(6400.0 / of_rows, 20000.0 / greatest(1, sum(pg_catalog.pg_relation_size(p.relid)) / current_setting('block_size')::integer))) as percent
                           from (select s.relid union select t.relid from pg_catalog.pg_partition_tree(s.relid) as t) as p (relid)) as z;
    return query execute format($sql$
        with sampled (%1$s, weight) as (%2$s), placed as (
            select %1$s, floor(sum(weight) over (order by %1$s rows unbounded preceding) / $1) as place from sampled
        ), bound as (
            select distinct on (%1$s) %1$s, row_number() over (order by %1$s) as ordinal
              from (select *, place - lag(place, 1, 0) over (order by %1$s) as step from placed) as p where step > 0
        ), named as (
            select ordinal, jsonb_build_object(%3$s) as key from bound
        )
        select lag(key) over (order by ordinal), key from named
        union all
        select (select key from named order by ordinal desc limit 1), null
        $sql$, key_columns, coalesce(sampled, format('select %s, 0 where false', (select string_agg('null::' || t, ', ') from unnest(m.key_types) as t))),
        (select string_agg(format('%L, %I', k, k), ', ') from unnest(m.key) as k)) using of_rows;
end
$_$;

-- Name: FUNCTION key_ranges(of_mapping text, of_rows bigint); Type: COMMENT

COMMENT ON FUNCTION crmshift.key_ranges(of_mapping text, of_rows bigint) IS 'Ranges of the keys of a mapping, in their order, of about so many rows each; together they hold every key there is or will be.';

-- Name: keys_of(text, text[]); Type: FUNCTION

CREATE FUNCTION crmshift.keys_of(of_mapping text, arrays text[]) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    AS $_$
declare
    result jsonb;
begin
    execute (select format('select jsonb_agg(jsonb_build_object(%s)) from unnest(%s) as k (%s)',
                           string_agg(format('%L, k.%1$I', c), ', ' order by i),
                           string_agg(format('$1[%s]::%s[]', i, t), ', ' order by i),
                           string_agg(quote_ident(c), ', ' order by i))
               from crmshift.mapping as m, unnest(m.key, m.key_types) with ordinality as u (c, t, i) where m.name = of_mapping)
       into result using arrays;
    return result;
end
$_$;

-- Name: FUNCTION keys_of(of_mapping text, arrays text[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.keys_of(of_mapping text, arrays text[]) IS 'Keys given as arrays, as text, one for each key column: as a json array of objects.';

-- Name: legacy_row(text, jsonb, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.legacy_row(of_subject text, of_key jsonb, from_view boolean) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    AS $_$
declare
    result jsonb;
begin
    execute (select format('select to_jsonb(x) from %s as x where %s',
                           case when from_view then format('crmshift.%I', s.name || '_expected') else s.target::regclass::text end,
                           (select string_agg(format('x.%I = ($1 ->> %L)::%s', k, k, t), ' and ') from unnest(s.key, s.key_types) as u (k, t)))
               from crmshift.mapping as s where s.name = of_subject)
       into result using of_key;
    return result;
end
$_$;

-- Name: FUNCTION legacy_row(of_subject text, of_key jsonb, from_view boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.legacy_row(of_subject text, of_key jsonb, from_view boolean) IS 'A row of legacy as it is, or as the target says it should be.';

-- Name: lock_customer(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.lock_customer(customer uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
-- Hold everything about one customer, on both sides, until the transaction ends. While the contact's row is waited for, nothing
-- of the customer is held; FOR UPDATE, so that whoever has inserted a field or an appointment of the contact is waited for, too.
-- The other rows are waited for only shortly: their holder may want the contact next, so it is let go (that is what the
-- inner block does), and all is tried again.
declare
    given text := current_setting('lock_timeout');
    patience interval := given;  -- 0: forever
    began timestamptz := clock_timestamp();
    -- What the transaction held before this call is not let go: then, after a while, waiting is left to the deadlock detector.
    holds_nothing boolean := pg_current_xact_id_if_assigned() is null;
begin
    loop
        begin
            perform from crmshift.customer_lock as k where k.customer_id = $1 for update;
            if holds_nothing or clock_timestamp() < began + interval '1 s' then
                perform set_config('lock_timeout', '50ms', true);
            end if;
            perform from crmshift.customer_field_lock as k where k.customer_id = $1 order by k.field_id for update;
            perform from crmshift.appointment_lock as k where k.customer_id = $1 order by k.id for update;
            perform from public.customers as c where c.cst_id = $1 for update;
            if not found then
                raise exception 'There is no customer %.', $1
                    using errcode = 'SH001', hint = 'select cst_id from customers lists those this role can see.';
            end if;
            perform from public.customer_custom_fields as f where f.customer_id = $1 order by f.field_id for update;
            perform from public.leads as l where l.customer_id = $1 order by l.id for update;
            perform from public.leads as l join public.lead_appointments as a on a.workspace_id = l.workspace_id and a.lead_id = l.id
              where l.customer_id = $1 order by a.id for update of a;
            perform set_config('lock_timeout', given, true);
            return;
        exception when lock_not_available then
            if patience > '0' and clock_timestamp() > began + patience then
                raise;
            end if;
        end;
    end loop;
end
$_$;

-- Name: FUNCTION lock_customer(customer uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.lock_customer(customer uuid) IS 'Hold everything about a customer until the transaction ends. Call it first in a transaction that writes leads directly; for several customers, in the order of their ids.';

-- Name: lock_lead(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.lock_lead(lead uuid) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
-- Hold everything about the customer of a lead; returns the customer.
declare
    customer uuid;
    locked uuid;
begin
    loop
        select l.customer_id into customer from public.leads as l where l.id = lead;
        if customer is null then
            raise exception 'There is no lead %.', lead
                using errcode = 'SH001', hint = 'select id from leads lists those this role can see.';
        elsif customer = locked then
            return customer;
        end if;
        perform crmshift.lock_customer(customer);
        locked := customer;  -- and look again: the lead may have passed to another customer, or gone
    end loop;
end
$$;

-- Name: FUNCTION lock_lead(lead uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.lock_lead(lead uuid) IS 'Hold everything about the customer of a lead until the transaction ends; returns the customer.';

-- Name: lock_row(text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.lock_row(of_subject text, of_key jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $_$
-- Hold one subject on both sides, legacy first, as writers take them. What is read or found queued in the next statement then
-- stays as it is.
declare
    r record;
begin
    for r in select m.target, m.only_where,
                    (select string_agg(format('t.%I = ($1 ->> %L)::%s', k, c, ty), ' and ') from unnest(m.key, m.columns, m.key_types) as u (k, c, ty)) as is_key
               from (select 0 as side, l.* from crmshift.mappings_of(of_subject, 'target') as l
                     union all select 1, t.* from crmshift.mappings_of(of_subject, 'legacy') as t) as m
              order by m.side, m.position loop
        execute format('select 1 from %s as t where %s%s for no key update of t', r.target::regclass, r.is_key, coalesce(' and ' || r.only_where, '')) using of_key;
    end loop;
end
$_$;

-- Name: FUNCTION lock_row(of_subject text, of_key jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.lock_row(of_subject text, of_key jsonb) IS 'Hold one subject on both sides until the transaction ends, legacy first.';

-- Name: lock_sources(text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.lock_sources(of_mapping text, keys jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $_$
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
$_$;

-- Name: FUNCTION lock_sources(of_mapping text, keys jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.lock_sources(of_mapping text, keys jsonb) IS 'Hold the rows a mapping reads for these keys until the transaction ends.';

-- Name: log_escaped(text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.log_escaped(of_subject text, keys jsonb) RETURNS integer
    LANGUAGE plpgsql
    AS $_$
-- Legacy deleted these rows, and their deletes had to wait. What the target has made into something that no mapping speaks of
-- meanwhile (an appointment, into one of a second lead) is not deleted, and that is a conflict.
declare
    m record;
    logged integer := 0;
    n integer;
begin
    for m in select w.*, p.conflict_where from crmshift.mappings_of(of_subject, 'legacy') as w join crmshift.mapping as p using (name)
              where w.only_where is not null and p.conflict_where is null loop
        execute format('insert into crmshift.conflict_log (subject, key, kind, policy, winner)
                        select $1, k.key, ''delete_origin_differs'', ''target_wins'', ''target'' from jsonb_array_elements($2) as k (key)
                         where exists (select from %s as t where %s)', m.target::regclass,
                       (select string_agg(format('t.%I = (k.key ->> %L)::%s', k, c, ty), ' and ') from unnest(m.key, m.columns, m.key_types) as u (k, c, ty)))
          using of_subject, keys;
        get diagnostics n = row_count;
        logged := logged + n;
    end loop;
    return logged;
end
$_$;

-- Name: FUNCTION log_escaped(of_subject text, keys jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.log_escaped(of_subject text, keys jsonb) IS 'Log rows that legacy deleted and that the target keeps, for they are none of the mapping''s any more; returns how many.';

-- Name: log_overwritten(); Type: FUNCTION

CREATE FUNCTION crmshift.log_overwritten() RETURNS void
    LANGUAGE plpgsql
    AS $_$
-- A trigger of the application may write a table that the sync had still to write: from customers, say, the lead. What did not
-- stand is a conflict, and is logged as one.
declare
    n record;
    lost jsonb;
begin
    for n in
        select q.subject, q.key, q.side, q.table_name, min(q.op) as op, jsonb_object_agg(c.name, c.pair order by q.id) as changed,
               (select string_agg(coalesce(m.only_where, 'true'), ') or (') from crmshift.mapping as m where m.target = q.table_name) as is_spoken_of,
               (select string_agg(format('t.%I = ($2 ->> %L)::%s', col, k, format_type(a.atttypid, a.atttypmod)), ' and ')
                  from crmshift.source_subject as s
                 cross join unnest(s.key, s.columns) as u (k, col)
                  join pg_catalog.pg_attribute as a on a.attrelid = q.table_name::regclass and a.attname = col
                 where s.source = q.table_name and s.subject = q.subject and s.mode = 'sync') as is_key
          from crmshift.sync_queue as q, jsonb_each(q.changed) as c (name, pair)
         where q.txid = pg_current_xact_id() and q.reason = 'nested' and q.table_name is not null
         group by q.subject, q.key, q.side, q.table_name
    loop
        execute format('select jsonb_object_agg(c.name, c.pair) from jsonb_each($1) as c (name, pair)
                         where exists (select from %1$s as t where %2$s and (%4$s))
                           and ($3 or not exists (select from %1$s as t where %2$s and (%4$s) and to_jsonb(t) -> c.name is not distinct from c.pair -> 1))
                           and c.name not in (select k from crmshift.mapping as m, unnest(m.clock) as k where m.target = %3$L)',
                       n.table_name::regclass, n.is_key, n.table_name, n.is_spoken_of)
           into lost using n.changed, n.key, n.op = 'delete';
        if lost is not null then
            insert into crmshift.conflict_log (subject, key, kind, policy, winner, losing)
            values (n.subject, n.key, case n.op when 'delete' then 'delete_origin_differs' else 'update_origin_differs' end, 'first_update_wins',
                    case n.side when 'legacy' then 'target' else 'legacy' end, lost);
        end if;
    end loop;
end
$_$;

-- Name: FUNCTION log_overwritten(); Type: COMMENT

COMMENT ON FUNCTION crmshift.log_overwritten() IS 'Log what triggers of the application wrote inside a sync that the sync then overwrote.';

-- Name: looks_like(jsonb, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.looks_like(value jsonb, is_text boolean) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
select case when value is null or value = 'null' then 'NULL'
            when not is_text then 'filled'
            when value = '""' then 'empty'
            when value #>> '{}' !~ '\S' then 'blank'
            else length(value #>> '{}') || case length(value #>> '{}') when 1 then ' char' else ' chars' end end
$$;

-- Name: FUNCTION looks_like(value jsonb, is_text boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.looks_like(value jsonb, is_text boolean) IS 'What can be said of a value without showing it: NULL, empty, blank, how long a text is, filled.';

-- Name: mapped_relations(); Type: FUNCTION

CREATE FUNCTION crmshift.mapped_relations() RETURNS TABLE(relation regclass, written boolean)
    LANGUAGE sql STABLE
    AS $$
-- written: by a backfill.
select coalesce(p.relid, pg_catalog.to_regclass(m.target)), pg_catalog.bool_or(m.direction = 'to_target')
  from crmshift.mapping as m
  left join lateral pg_catalog.pg_partition_tree(pg_catalog.to_regclass(m.target)) as p on true
 where pg_catalog.to_regclass(m.target) is not null
 group by 1
$$;

-- Name: FUNCTION mapped_relations(); Type: COMMENT

COMMENT ON FUNCTION crmshift.mapped_relations() IS 'Mapped tables of both sides, their partitions included.';

-- Name: mapping_statements(jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.mapping_statements(mapping jsonb) RETURNS TABLE(ordinal integer, object text, statement text)
    LANGUAGE sql STABLE
    AS $_$
with m as (
    select j ->> 'name' as name,
           format('crmshift.%I', (j ->> 'name') || '_expected') as view,
           (select string_agg(quote_ident(p), '.') from unnest(parse_ident(j ->> 'target')) as p) as target,
           ' and ' || (j ->> 'only_where') as and_only,
           ' where ' || (j ->> 'conflict_where') as where_conflict,
           j ->> 'before_remove' as before_remove,
           (j ->> 'lock_target')::boolean as lock_target,
           array(select jsonb_array_elements_text(j -> 'key')) as key,
           array(select jsonb_array_elements_text(j -> 'key_types')) as key_types,
           array(select jsonb_array_elements_text(j -> 'columns')) as columns,
           j -> 'agrees' as agrees,
           j ->> 'side' as side,
           j -> 'subjects' as subjects
      from (select $1) as given (j)
), k as (
    select string_agg(format('%I %s[]', 'of_' || c, m.key_types[i]), ', ' order by i) as parameters,
           string_agg(format('$%s', i), ', ' order by i) as arguments,
           string_agg(quote_ident(c), ', ' order by i) as columns,
           string_agg(format('e.%I', c), ', ' order by i) as e_columns,
           string_agg(format('t.%I', c), ', ' order by i) as t_columns,
           string_agg(format('e.%1$I = k.%1$I', c), ' and ' order by i) as e_is_k,
           string_agg(format('e.%I = ($%s)[1]', c, i), ' and ' order by i) as e_is_only,
           string_agg(format('t.%I = ($%s)[1]', c, i), ' and ' order by i) as t_is_only,
           string_agg(format('t.%1$I = k.%1$I', c), ' and ' order by i) as t_is_k,
           string_agg(format('t.%1$I = e.%1$I', c), ' and ' order by i) as t_is_e,
           string_agg(format('w.%1$I = d.%1$I', c), ' and ' order by i) as w_is_d,
           string_agg(format('%L, coalesce(e.%2$I, t.%2$I)', c, c), ', ' order by i) as named,
           string_agg(format('%L, k.%I', c, c), ', ' order by i) as k_named,
           string_agg(format('gone_%s %s[]', i, m.key_types[i]), '; ' order by i) as gone_declared,
           string_agg(format('array_agg(t.%I)', c), ', ' order by i) as gone_collected,
           string_agg(format('(j ->> %L)::%s as %I', c, m.key_types[i], c), ', ' order by i) as of_json,
           -- r stands for either side; on both a key has the same type, and therefore the same hash
           -- of the first column by itself the planner knows how many rows are in range; of a row of columns it does not
           format('($2 is null or %s) and ($3 is null or %s)'
                  ' and ($4 is null or hash_record_extended(row(%s), $5) & 1048575 < $4 / 100 * 1048576)',
                  string_agg(format(case when i < cardinality(m.key) then 'r.%1$I >= ($2 ->> %1$L)::%2$s and (r.%1$I > ($2 ->> %1$L)::%2$s or '
                                         else 'r.%1$I > ($2 ->> %1$L)::%2$s' end, c, m.key_types[i]), '' order by i) || repeat(')', cardinality(max(m.key)) - 1),
                  string_agg(format(case when i < cardinality(m.key) then 'r.%1$I <= ($3 ->> %1$L)::%2$s and (r.%1$I < ($3 ->> %1$L)::%2$s or '
                                         else 'r.%1$I <= ($3 ->> %1$L)::%2$s' end, c, m.key_types[i]), '' order by i) || repeat(')', cardinality(max(m.key)) - 1),
                  string_agg(format('r.%I::%s', c, m.key_types[i]), ', ' order by i)) as in_range,
           string_agg(format('gone_%s', i), ', ' order by i) as gone
      from m, unnest(m.key) with ordinality as u (c, i)
), c as (
    select string_agg(quote_ident(c), ', ' order by i) as columns,
           string_agg(format('d.%I', c), ', ' order by i) as d_columns,
           string_agg(format('e.%I', c), ', ' order by i) as e_columns,
           string_agg(format('t.%I', c), ', ' order by i) as t_columns,
           string_agg(format('w.%I', c), ', ' order by i) as w_columns,
           string_agg(format('one.%I', c), ', ' order by i) as one_columns,
           string_agg(format('stored.%I', c), ', ' order by i) as stored_columns,
           -- a column that only_where asks to be true is so already: assigning it would fire the triggers on it for nothing
           string_agg(quote_ident(c), ', ' order by i) filter (where u.assigned) as other_columns,
           string_agg(format('one.%I', c), ', ' order by i) filter (where u.assigned) as one_others,
           string_agg(format('d.%I', c), ', ' order by i) filter (where u.assigned) as d_others,
           string_agg(format('%1$I = excluded.%1$I', c), ', ' order by i) filter (where u.assigned) as assignments,
           -- a column that crmshift.comparison speaks of is compared by its condition, not by value
           string_agg(format('t.%I', c), ', ' order by i)
               filter (where c <> all (m.key) and not m.agrees ? c) as t_compared,
           string_agg(format('e.%I', c), ', ' order by i)
               filter (where c <> all (m.key) and not m.agrees ? c) as e_compared,
           coalesce(string_agg(format(' or (%s) is not true', m.agrees ->> c), '' order by i) filter (where m.agrees ? c), '') as or_disagrees,
           string_agg(case when m.agrees ? c
                           then format('case when (%s) is not true then %L end', m.agrees ->> c, c)
                           else format('case when t.%1$I is distinct from e.%1$I then %2$L end', c, c) end,
                      E',\n                        ' order by i) filter (where c <> all (m.key)) as differing,
           format('(%s) is distinct from (%s)%s',
                  string_agg(format('t.%I', c), ', ' order by i) filter (where c <> all (m.key) and not m.agrees ? c),
                  string_agg(format('e.%I', c), ', ' order by i) filter (where c <> all (m.key) and not m.agrees ? c),
                  string_agg(format(' or (%s) is not true', m.agrees ->> c), '' order by i) filter (where m.agrees ? c)) as differ
      from m cross join lateral (
               select v.c, v.i, v.c <> all (m.key) and m.and_only is distinct from format(' and t.%I', v.c) as assigned
                 from unnest(m.columns) with ordinality as v (c, i)) as u
), f as (
    select coalesce(string_agg(format($sql$
    if uneven is not null then  -- a trigger on %1$s changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select %2$L, jsonb_build_object(%3$s), %4$L, 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;$sql$, (select target from m), b ->> 'subject',
               (select string_agg(format('%L, u.r -> %L', to_name, from_name), ', ')
                  from rows from (jsonb_array_elements_text(b -> 'key'), jsonb_array_elements_text(b -> 'columns'))
                    as pair (to_name, from_name)), (select side from m)), ''), '') as noting,
           coalesce((select string_agg(distinct format('%L, w.%I', n, n), ', ')
                       from m, jsonb_array_elements(m.subjects) as b2, jsonb_array_elements_text(b2 -> 'columns') as n), '') as noted,
           coalesce((select string_agg(distinct format('%L, stored.%I', n, n), ', ')
                       from m, jsonb_array_elements(m.subjects) as b2, jsonb_array_elements_text(b2 -> 'columns') as n), '') as noted_stored
      from m left join jsonb_array_elements(m.subjects) as b on true
), workspace as (
    select 'workspace_id' = any (m.columns) as known from m
)
select 1, format('crmshift.fill_%s', m.name), format($sql$create or replace function crmshift.%1$I(%2$s) returns bigint
language plpgsql
as $writer$
-- Insert what %3$s lacks of these keys, and leave alone what is there.
declare
    written bigint;
    uneven jsonb;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform crmshift.lock_sources(%20$L, (select jsonb_agg(jsonb_build_object(%21$s)) from unnest(%6$s) as k (%7$s)));
    end if;
    perform set_config('crmshift.writing', %14$L, true);
    with d as materialized (
        select %5$s
          from unnest(%6$s) as k (%7$s)
          join %8$s as e on %9$s
         where not exists (select from %3$s as t where %10$s%11$s)
    ), w as (
        insert into %3$s as t (%4$s)
        select %15$s from d order by %12$s
        on conflict (%7$s)%13$s do nothing
        returning t.*
    )
    select (select count(*) from w),
           (select jsonb_agg(jsonb_build_object(%16$s)) from w join d on %17$s where (%18$s) is distinct from (%15$s))
      into written, uneven;%19$s
    return written;
end
$writer$$sql$, 'fill_' || m.name, k.parameters, m.target, c.columns, c.e_columns, k.arguments, k.columns, m.view, k.e_is_k,
       k.t_is_e, coalesce(m.and_only, ''), replace(k.e_columns, 'e.', 'd.'), coalesce(m.where_conflict, ''), m.target,
       c.d_columns, f.noted, k.w_is_d, c.w_columns, f.noting, m.name, k.k_named)
  from m, k, c, f
union all
select 2, format('crmshift.sync_%s', m.name), format($sql$create or replace function crmshift.%1$I(%2$s) returns bigint
language plpgsql
as $writer$
-- Make %3$s hold what %4$s says for these keys; returns how many of them it speaks of.
declare
    expected bigint;
    suppressed bigint := 0;
    uneven jsonb;
    one record;
    stored record;
    another boolean;
    said text;
begin%5$s
    said := set_config('crmshift.writing', %6$L, true);
    if cardinality($1) = 1 then  -- what most statements write: the same, without what many rows need
        select e.*, t.%7$I is null as "lacks it", (%8$s) is distinct from (%9$s)%10$s as "differs in it" into one
          from %4$s as e left join %3$s as t on %11$s%12$s where %13$s;
        if not found then
            return 0;
        elsif one."lacks it" then
            insert into %3$s as t (%14$s) values (%15$s)
            on conflict (%16$s)%17$s do update set %18$s%19$s
            returning t.* into stored;
        elsif one."differs in it" then
            if current_setting('crmshift.inserting', true) = %37$L then
                raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
            end if;
            update %3$s as t set (%20$s) = row(%21$s) where %22$s%12$s returning t.* into stored;
        else
            return 1;
        end if;
        expected := 1;
        suppressed := (not found)::integer;
        if found and (%23$s) is distinct from (%15$s) then
            uneven := jsonb_build_array(jsonb_build_object(%24$s));
        end if;
    else%34$s
        with e as materialized (
            select e.* from (select distinct * from unnest(%25$s) as k (%16$s)) as k join %4$s as e on %26$s
        ), d as materialized (
            select e.*, t.%7$I is null as "lacks it"
              from e left join %3$s as t on %11$s%12$s
             where t.%7$I is null or (%8$s) is distinct from (%9$s)%10$s
        ), u as (
            update %3$s as t set (%20$s) = row(%35$s) from d where not d."lacks it" and %36$s%12$s
            returning t.*
        ), i as (
            insert into %3$s as t (%14$s)
            select %27$s from d where d."lacks it" order by %28$s
            on conflict (%16$s)%17$s do update set %18$s%19$s
            returning t.*
        ), w as (
            select * from u union all select * from i
        )
        select (select count(*) from e), (select count(*) from d) - (select count(*) from w),
               (select jsonb_agg(jsonb_build_object(%29$s)) from w join d on %30$s where (%31$s) is distinct from (%27$s)),
               exists (select from u)
          into expected, suppressed, uneven, another;
        if another and current_setting('crmshift.inserting', true) = %37$L then
            raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
        end if;
    end if;
    if suppressed > 0 then%32$s
        raise exception 'A trigger on %3$s suppressed the write.' using errcode = 'SH011';
    end if;%33$s
    return expected;
end
$writer$$sql$,
       'sync_' || m.name, k.parameters, m.target, m.view,
       case when m.lock_target then format($lock$
    -- Several tables feed this one: take its rows first, so that the next statement sees what others committed.
    perform from %1$s as t join unnest(%2$s) as k (%3$s) on %4$s order by %5$s for no key update of t;$lock$,
           m.target, k.arguments, k.columns, k.t_is_k, k.t_columns) else format($lock$
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform from %1$s as t join unnest(%2$s) as k (%3$s) on %4$s order by %5$s for no key update of t;
    end if;$lock$,
           m.target, k.arguments, k.columns, k.t_is_k, k.t_columns) end,
       m.target, m.key[1], c.t_compared, c.e_compared, c.or_disagrees, k.t_is_e, coalesce(m.and_only, ''), k.e_is_only,
       c.columns, c.one_columns, k.columns, coalesce(m.where_conflict, ''), c.assignments,
       -- Nothing is taken over that the mapping does not speak of.
       case when m.and_only is not null and m.where_conflict is null then ' where ' || substr(m.and_only, 6) else '' end,
       c.other_columns, c.one_others, k.t_is_only, c.stored_columns, f.noted_stored, k.arguments, k.e_is_k, c.d_columns,
       replace(k.e_columns, 'e.', 'd.'), f.noted, k.w_is_d, c.w_columns,
       case when m.and_only is not null and m.where_conflict is null then format($strange$
        if exists (select from %1$s as t join unnest(%2$s) as k (%3$s) on %4$s where not (%5$s)) then
            raise exception 'There is a row of %1$s under the same key that the mapping %6$s does not speak of.'
                using errcode = 'SH013', hint = 'Give one of them another key.';
        end if;$strange$, m.target, k.arguments, k.columns, k.t_is_k, substr(m.and_only, 6), m.name) else '' end,
       f.noting,
       case when m.lock_target then '' else format($lock$
        perform from %1$s as t join unnest(%2$s) as k (%3$s) on %4$s order by %5$s for no key update of t;$lock$,
           m.target, k.arguments, k.columns, k.t_is_k, k.t_columns) end,
       c.d_others, replace(k.t_is_e, 'e.', 'd.'), m.name)
  from m, k, c, f
union all
select 3, format('crmshift.remove_%s', m.name), format($sql$create or replace function crmshift.%1$I(%2$s) returns bigint
language plpgsql
as $writer$
-- Delete from %3$s those of these keys that %4$s does not speak of.
declare
    %5$s;
    removed bigint;
begin
    select %6$s into %7$s
      from unnest(%8$s) as k (%9$s)
      join %3$s as t on %10$s%11$s
     where not exists (select from %4$s as e where %12$s);
    if gone_1 is null then
        return 0;
    end if;%13$s
    perform set_config('crmshift.writing', %14$L, true);
    delete from %3$s as t using unnest(%7$s) as k (%9$s) where %10$s%11$s;
    get diagnostics removed = row_count;
    if removed < cardinality(gone_1) then
        raise exception 'A trigger on %3$s suppressed the delete.' using errcode = 'SH011';
    end if;
    return removed;
end
$writer$$sql$, 'remove_' || m.name, k.parameters, m.target, m.view, k.gone_declared, k.gone_collected, k.gone,
       k.arguments, k.columns, k.t_is_k, coalesce(m.and_only, ''), k.t_is_e,
       coalesce(E'\n    perform ' || m.before_remove || '(' || k.gone || ');', ''), m.target)
  from m, k
union all
select 4, format('crmshift.drift_%s', m.name), format($sql$create or replace function crmshift.%1$I(
    of_workspace uuid default null, after jsonb default null, up_to jsonb default null, percent double precision default null,
    seed bigint default 0, columns_too boolean default true, every_row boolean default false)
returns table (key jsonb, kind text, columns text[])
language sql stable parallel safe
as $drift$
-- Where %2$s differs from %3$s, in a range of keys or a sample of them. One statement, so one snapshot: no false alarms
-- under live writes. It is inlined, so that what is not asked for costs nothing.
select jsonb_build_object(%4$s),
       case when t.%5$I is null then 'missing' when e.%5$I is null then 'extra' when $6 and (%6$s) then 'differs' end,
       case when t.%5$I is not null and e.%5$I is not null
            then array_remove(array[
                        %7$s], null) end
  from (select * from %3$s as e where %8$s%9$s) as e
  full join (select * from %2$s as t where %10$s%11$s%12$s) as t on %13$s
 where $7 or t.%5$I is null or e.%5$I is null or $6 and (%6$s)
$drift$$sql$, 'drift_' || m.name, m.target, m.view, k.named, m.key[1], c.differ, c.differing,
       replace(k.in_range, 'r.', 'e.'), case when w.known then ' and ($1 is null or e.workspace_id = $1)' else '' end,
       replace(k.in_range, 'r.', 't.'), case when w.known then ' and ($1 is null or t.workspace_id = $1)' else '' end,
       coalesce(m.and_only, ''), k.t_is_e)
  from m, k, c, workspace as w
union all
select 5, format('crmshift.verdict_%s', m.name), format($sql$create or replace function crmshift.%1$I(keys jsonb)
returns table (key jsonb, kind text, columns text[], workspace_id uuid, expected jsonb, found jsonb)
language sql stable parallel safe
as $verdict$
-- How %2$s and %3$s stand to each other for these keys; kind is null where they agree. By index, however large the tables are.
select jsonb_build_object(%4$s),
       case when t.%5$I is null then 'missing' when e.%5$I is null then 'extra' when %6$s then 'differs' end,
       case when t.%5$I is not null and e.%5$I is not null
            then array_remove(array[
                        %7$s], null) end,
       %8$s,
       case when e.%5$I is not null then (select to_jsonb(r) from (select %9$s) as r) end,
       case when t.%5$I is not null then (select to_jsonb(r) from (select %10$s) as r) end
  from (select distinct %11$s from jsonb_array_elements($1) as j) as k
  left join %3$s as e on %12$s
  left join %2$s as t on %13$s%14$s
 where e.%5$I is not null or t.%5$I is not null
$verdict$$sql$, 'verdict_' || m.name, m.target, m.view, k.k_named, m.key[1], c.differ, c.differing,
       case when w.known then 'coalesce(e.workspace_id, t.workspace_id)' else 'null::uuid' end, c.e_columns, c.t_columns,
       k.of_json, k.e_is_k, k.t_is_k, coalesce(m.and_only, ''))
  from m, k, c, workspace as w
$_$;

-- Name: FUNCTION mapping_statements(mapping jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.mapping_statements(mapping jsonb) IS 'The functions of a mapping, derived from its description: fill_, sync_, remove_, drift_ and verdict_<name>.';

-- Name: mappings_of(text, text); Type: FUNCTION

CREATE FUNCTION crmshift.mappings_of(of_subject text, written text) RETURNS TABLE(name text, key text[], columns text[], target text, only_where text, key_types text[], "position" integer)
    LANGUAGE sql STABLE
    AS $_$
-- written = legacy: what is made of the subject on the target. written = target: the legacy row itself.
select m.name, m.key, f.key, m.target, m.only_where, m.key_types, m.position
  from crmshift.mapping as s
  join crmshift.feed as f on f.source = s.target and f.mode = 'sync' and f.key <@ s.key
  join crmshift.mapping as m on m.name = f.mapping
 where s.name = $1 and $2 = 'legacy'
union all
select s.name, s.key, s.key, s.target, s.only_where, s.key_types, s.position
  from crmshift.mapping as s where s.name = $1 and $2 = 'target'
 order by 7
$_$;

-- Name: FUNCTION mappings_of(of_subject text, written text); Type: COMMENT

COMMENT ON FUNCTION crmshift.mappings_of(of_subject text, written text) IS 'The mappings to bring up to date after one side of a subject was written, parents first, and the columns of the subject that give their keys.';

-- Name: merge(text, jsonb, bigint[], boolean, text, text); Type: FUNCTION

CREATE FUNCTION crmshift.merge(of_subject text, of_key jsonb, ids bigint[], both_inserted boolean, first_side text, last_side text) RETURNS TABLE(columns text[], policy text, winner text, losing jsonb, result jsonb)
    LANGUAGE plpgsql STABLE
    AS $_$
-- Both sides wrote one row while they could not agree: what each group of columns should be. A group that only one side
-- changed takes that side's values; one that both changed goes by its policy. winner is null where a person has to decide;
-- no row at all for groups without a conflict, except the last one, whose result is the whole merged row.
declare
    here jsonb := crmshift.legacy_row(of_subject, of_key, false);
    there jsonb := crmshift.legacy_row(of_subject, of_key, true);
    before jsonb;
    clock text[] := (select m.clock from crmshift.mapping as m where m.name = of_subject);
    grouped text[] := array(select c from crmshift.conflict_policy as p, unnest(p.columns) as c where p.subject = of_subject and p.conflict = 'update');
    merged jsonb := here;
    g record;
    c text;
    legacy_changed boolean;
    target_changed boolean;
    when_written record;
begin
    -- What was there before: legacy knows what its first queued write of a column found; what it did not write is as it was.
    select here || coalesce(jsonb_object_agg(e.col, e.before), '{}') into before
      from (select distinct on (x.col) x.col, x.pair -> 0 as before
              from crmshift.sync_queue as q, jsonb_each(q.changed) as x (col, pair)
             where q.id = any (ids) and q.side = 'legacy' order by x.col, q.id) as e;
    for g in
        select p.columns, p.policy from crmshift.conflict_policy as p
         where p.subject = of_subject and p.conflict = 'update' and p.columns <> '{}' and p.policy <> 'column_merge'
        union all
        select array[col], 'last_update_wins'
          from crmshift.conflict_policy as p, unnest(p.columns) as col
         where p.subject = of_subject and p.conflict = 'update' and p.policy = 'column_merge'
        union all
        -- the rest: together where a policy says so, else column by column
        select array_agg(k.col), coalesce(p.policy, 'last_update_wins')
          from (select k as col from jsonb_object_keys(there) as k where k <> all (grouped)) as k
          left join crmshift.conflict_policy as p
            on p.subject = of_subject and p.conflict = 'update' and p.columns = '{}' and p.policy <> 'column_merge'
         group by p.policy, case when p.policy is null then k.col end
    loop
        legacy_changed := false;
        target_changed := false;
        foreach c in array g.columns loop
            continue when c = any (clock) and cardinality(g.columns) > 1;
            if both_inserted then  -- a value that one of them does not give is no conflict
                legacy_changed := legacy_changed or (here -> c <> 'null');
                target_changed := target_changed or (there -> c <> 'null');
            else
                legacy_changed := legacy_changed or (here -> c is distinct from before -> c);
                target_changed := target_changed or (there -> c is distinct from before -> c);
            end if;
        end loop;
        -- Who wrote the group last. Of a legacy write it is known which columns it changed; one of the target counts for all.
        select case when max(q.id) filter (where q.side = 'legacy') > max(q.id) filter (where q.side = 'target') then 'legacy' else 'target' end as last,
               case when min(q.id) filter (where q.side = 'legacy') < min(q.id) filter (where q.side = 'target') then 'legacy' else 'target' end as first
          into when_written
          from crmshift.sync_queue as q
         where q.id = any (ids) and q.reason <> 'parent' and (q.side = 'target' or q.changed ?| g.columns)
        having count(distinct q.side) = 2;
        columns := g.columns;
        policy := g.policy;
        losing := null;
        winner := case
            when not target_changed then 'legacy'
            when not legacy_changed then 'target'
            when g.policy = 'last_update_wins' then coalesce(when_written.last, last_side)
            when g.policy = 'first_update_wins' then coalesce(when_written.first, first_side)
            when g.policy = 'legacy_wins' then 'legacy'
            when g.policy = 'target_wins' then 'target'
            when g.policy = 'manual' then
                (select l.decision from crmshift.conflict_log as l
                  where l.subject = of_subject and l.key = of_key and l.winner is null and l.columns = g.columns)
            else 'merged' end;
        if winner = 'merged' then
            if to_regprocedure(substr(g.policy, 10) || '(text, jsonb, jsonb, jsonb, jsonb)') is null then
                raise exception 'There is no function %(text, jsonb, jsonb, jsonb, jsonb), which the policy of % names.', substr(g.policy, 10), of_subject
                    using errcode = 'SH015';
            end if;
            execute format('select %s($1, $2, $3, $4, $5)', to_regproc(substr(g.policy, 10))) into result
              using of_subject, of_key, before, here, there;
            foreach c in array g.columns loop
                merged := merged || jsonb_build_object(c, coalesce(result -> c, here -> c));
            end loop;
        elsif winner = 'target' then
            foreach c in array g.columns loop
                merged := merged || jsonb_build_object(c, there -> c);
            end loop;
        end if;
        result := null;
        if legacy_changed and target_changed and not g.columns <@ clock then
            -- Only what the losing side had changed, and does not stand, is lost.
            foreach c in array g.columns loop
                continue when c = any (clock) or here -> c = there -> c;
                if winner is distinct from 'legacy' and here -> c <> merged -> c and (both_inserted or here -> c <> before -> c)
                   or winner is distinct from 'target' and there -> c <> merged -> c and (both_inserted or there -> c <> before -> c)
                   or winner is null then
                    losing := coalesce(losing, '{}') || jsonb_build_object(c,
                        jsonb_build_array(case when both_inserted then 'null' else before -> c end)
                        || case winner when 'legacy' then jsonb_build_array(there -> c)
                                       when 'target' then jsonb_build_array(here -> c)
                                       else jsonb_build_array(here -> c, there -> c) end);
                end if;
            end loop;
            if losing is not null then
                if winner is null then
                    losing := null;
                end if;
                return next;
            end if;
        end if;
    end loop;
    columns := null;
    policy := null;
    winner := null;
    losing := null;
    result := merged;
    return next;
end
$_$;

-- Name: FUNCTION merge(of_subject text, of_key jsonb, ids bigint[], both_inserted boolean, first_side text, last_side text); Type: COMMENT

COMMENT ON FUNCTION crmshift.merge(of_subject text, of_key jsonb, ids bigint[], both_inserted boolean, first_side text, last_side text) IS 'What becomes of a row that both sides wrote while apart: its conflicts by group of columns, and last the merged legacy row.';

-- Name: nesting_statement(text, text); Type: FUNCTION

CREATE FUNCTION crmshift.nesting_statement(of_source text, operation text) RETURNS text
    LANGUAGE sql STABLE
    AS $_$
select format('insert into crmshift.sync_queue (subject, key, side, op, reason, table_name, changed) select c.subject, c.key, %L, c.op, ''nested'', %L, c.changed from (%s) as c',
              min(s.side), $1, crmshift.changes_query($1, $2, true))
  from crmshift.source_subject as s where s.source = $1
$_$;

-- Name: FUNCTION nesting_statement(of_source text, operation text); Type: COMMENT

COMMENT ON FUNCTION crmshift.nesting_statement(of_source text, operation text) IS 'A statement that notes what a trigger of the application wrote inside a sync.';

-- Name: next_primary_lead(uuid[], uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.next_primary_lead(customer_ids uuid[], demoted uuid[]) RETURNS TABLE(customer_id uuid, lead_id uuid)
    LANGUAGE sql STABLE
    AS $_$
select distinct on (l.customer_id) l.customer_id, l.id
  from unnest($1) as k (id)
  join public.leads as l on l.customer_id = k.id
 cross join crmshift.primary_lead_rule as r
 order by l.customer_id, l.id = any ($2), coalesce(l.disposition = any (r.closed), false),
          case r.choose when 'oldest' then l.entrydate end, case r.choose when 'newest' then l.entrydate end desc nulls last, l.id
$_$;

-- Name: FUNCTION next_primary_lead(customer_ids uuid[], demoted uuid[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.next_primary_lead(customer_ids uuid[], demoted uuid[]) IS 'The lead of each of these customers that the rule chooses; those of the second array only where there is no other.';

-- Name: noting_statement(text, text); Type: FUNCTION

CREATE FUNCTION crmshift.noting_statement(of_source text, operation text) RETURNS text
    LANGUAGE sql STABLE
    AS $_$
select format('update crmshift.sync_queue as q set changed = c.changed, op = c.op from (%s) as c '
              'where q.txid = pg_current_xact_id() and q.reason in (''failed'', ''held'') and q.changed is null and q.subject = c.subject and q.key = c.key',
              crmshift.changes_query($1, $2))
$_$;

-- Name: FUNCTION noting_statement(of_source text, operation text); Type: COMMENT

COMMENT ON FUNCTION crmshift.noting_statement(of_source text, operation text) IS 'A statement that gives what this transaction just queued the old and new values of the columns it had changed.';

-- Name: objects(text[], boolean); Type: FUNCTION

CREATE FUNCTION crmshift.objects(kinds text[] DEFAULT NULL::text[], only_written_here boolean DEFAULT false) RETURNS TABLE(kind text, subject text, name text, definition text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog'
    SET quote_all_identifiers TO 'off'
    SET "DateStyle" TO 'iso'
    SET "IntervalStyle" TO 'postgres'
    SET "TimeZone" TO 'UTC'
    SET bytea_output TO 'hex'
    AS $_$
with relation as (
    select c.oid, c.relkind, c.relispartition, c.relacl, c.reloptions, format('%I.%I', n.nspname, c.relname) as name
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
     where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'v')
), of_table as (
    select * from relation where relkind <> 'v'
), o (kind, subject, name, definition, written) as (
    select 'table', t.name, '', format('create table %s', t.name), a.xmin
      from of_table as t join pg_attribute as a on a.attrelid = t.oid and a.attnum = -1  -- written when a table is made, and never again
    union all
    select 'column', t.name, a.attname::text,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
                     case when a.attgenerated <> '' then 'generated always as (' || pg_get_expr(d.adbin, d.adrelid) || ')'
                          when a.attidentity <> '' then 'generated as identity' else 'default ' || pg_get_expr(d.adbin, d.adrelid) end),
           a.xmin
      from of_table as t
      join pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    union all
    -- Whether it is valid, constraints_validated asks; whether a column may be null, the column says.
    select 'constraint', t.name, c.conname::text,
           format('alter table %s add constraint %I %s', t.name, c.conname, regexp_replace(pg_get_constraintdef(c.oid), ' NOT VALID$', '')), c.xmin
      from of_table as t join pg_constraint as c on c.conrelid = t.oid and c.contype not in ('t', 'n') and c.conparentid = 0
    union all
    select 'index', t.name, c.relname::text, pg_get_indexdef(i.indexrelid), i.xmin
      from of_table as t
      join pg_index as i on i.indrelid = t.oid
      join pg_class as c on c.oid = i.indexrelid and not c.relispartition
     where not exists (select from pg_constraint as k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
    union all
    select 'policy', t.name, p.polname::text,
           concat_ws(' ', format('create policy %I on %s as %s for %s to %s', p.polname, t.name,
                                 case when p.polpermissive then 'permissive' else 'restrictive' end,
                                 case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
                                 (select string_agg(case r.oid when 0 then 'public' else quote_ident(pg_get_userbyid(r.oid)) end, ', ' order by r.oid) from unnest(p.polroles) as r (oid))),
                     'using (' || pg_get_expr(p.polqual, p.polrelid) || ')', 'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
           p.xmin
      from of_table as t join pg_policy as p on p.polrelid = t.oid
    union all
    select 'trigger', t.name, g.tgname::text,
           concat_ws('; ', pg_get_triggerdef(g.oid), case g.tgenabled when 'A' then format('alter table %s enable always trigger %I', t.name, g.tgname) end),
           g.xmin
      from of_table as t join pg_trigger as g on g.tgrelid = t.oid and not g.tgisinternal and g.tgparentid = 0
    union all
    select 'view', v.name, '', format(E'create or replace view %s%s as\n%s', v.name, ' with (' || array_to_string(v.reloptions, ', ') || ')', pg_get_viewdef(v.oid)), r.xmin
      from relation as v join pg_rewrite as r on r.ev_class = v.oid and r.rulename = '_RETURN'
     where v.relkind = 'v'
    union all
    select 'function', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), '', pg_get_functiondef(p.oid), p.xmin
      from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
     where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and p.prokind in ('f', 'p')
    union all
    -- Those of a table whose writes are followed and that no step made; recorded with its triggers.
    select 'legacy column', t.name, a.attname::text, '', g.xmin
      from of_table as t
      join pg_trigger as g on g.tgrelid = t.oid and g.tgname = 'crmshift_sync_insert'
      join pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
     where not t.relispartition and not exists (select from crmshift.installed as i where i.kind = 'table' and i.subject = t.name)
    union all
    select 'grant', t.name, case x.grantee when 0 then 'public' else pg_get_userbyid(x.grantee)::text end,
           string_agg(distinct lower(x.privilege_type), ', ' order by lower(x.privilege_type)), null::xid
      from of_table as t cross join lateral aclexplode(t.relacl) as x
     group by 1, 2, 3
)
select o.kind, o.subject, o.name, o.definition
  from o
 where ($1 is null or o.kind = any ($1))
   and (not $2 or age(o.written) <= age(pg_current_xact_id_if_assigned()::xid) and crmshift.is_written_here(o.written))  -- the age alone is quicker
$_$;

-- Name: FUNCTION objects(kinds text[], only_written_here boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.objects(kinds text[], only_written_here boolean) IS 'Objects in this database as the catalogue words them now, of some kinds or all.';

-- Name: overtaken_statement(text, text); Type: FUNCTION

CREATE FUNCTION crmshift.overtaken_statement(of_source text, operation text) RETURNS text
    LANGUAGE sql STABLE
    AS $_$
-- One statement may write both sides of a row (a with that updates contacts and customers), or an application's trigger on the one side the
-- other. The side whose triggers come first wins, for it is synced before the other one's writes are known. What a row no longer
-- holds of what this statement wrote is therefore a conflict, and is logged as one.
select format($sql$
    insert into crmshift.conflict_log (subject, key, kind, policy, winner, losing)
    select s.subject, s.key, case when p.n is null or t.* is null then 'delete_origin_differs' else 'update_origin_differs' end,
           'first_update_wins', %1$L, l.losing
      from (%2$s) as p
      left join %3$s as t on %4$s
     cross join lateral (values %5$s) as s (subject, key)
     cross join lateral (select jsonb_object_agg(c, jsonb_build_array(p.o -> c, p.n -> c)) from jsonb_object_keys(coalesce(p.n, p.o)) as c
                          where c <> all (%6$L::text[]) and (p.o -> c) is distinct from (p.n -> c)
                            and (to_jsonb(t) -> c) is distinct from (p.n -> c)) as l (losing)
     where l.losing is not null$sql$,
              case min(s.side) when 'legacy' then 'target' else 'legacy' end, crmshift.pairs_query($1, $2), $1::regclass,
              (select string_agg(format('t.%1$I = p.%1$I', a.attname), ' and ')
                 from pg_catalog.pg_index as i join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
                where i.indrelid = $1::regclass and i.indisprimary),
              string_agg(format('(%L, jsonb_build_object(%s))', s.subject,
                                (select string_agg(format('%L, coalesce(p.n, p.o) -> %L', k, c), ', ') from unnest(s.key, s.columns) as u (k, c))), ', '),
              array(select distinct c from crmshift.mapping as m, unnest(m.clock) as c where m.target = $1))
  from crmshift.source_subject as s where s.source = $1 and s.mode = 'sync'
$_$;

-- Name: FUNCTION overtaken_statement(of_source text, operation text); Type: COMMENT

COMMENT ON FUNCTION crmshift.overtaken_statement(of_source text, operation text) IS 'A statement that logs what a statement wrote and a sync of the other side has overwritten meanwhile.';

-- Name: pairs_query(text, text, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.pairs_query(of_source text, operation text, looking boolean DEFAULT false) RETURNS text
    LANGUAGE sql STABLE
    AS $_$
-- looking: also whether the mapping to this table speaks of the row, which may take a look into other tables.
with columns as (
    select format('(select to_jsonb(x) from (select %s) as x)', string_agg(format('t.%I', c.column_name), ', ' order by c.column_name)) as row
      from (select r.column_name from crmshift.mapping_reads as r join crmshift.feed as f on f.mapping = r.mapping
             where f.source = $1 and r.source = $1 and f.mode = 'sync'
             union select c from crmshift.source_subject as s, unnest(s.columns) as c where s.source = $1) as c
), identity as (
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
      from pg_catalog.pg_index as i join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
     where i.indrelid = $1::regclass and i.indisprimary
), spoken as (
    select coalesce((select string_agg(format('(%s)', coalesce(m.only_where, 'true')), ' or ') from crmshift.mapping as m where m.target = $1 and $3), 'true') as of_row
)
select case $2 when 'INSERT' then format('select %s, null::jsonb as o, %s as n, %s as spoken_of from changed as t', i.columns, c.row, s.of_row)
               when 'DELETE' then format('select %s, %s as o, null::jsonb as n, %s as spoken_of from was as t', i.columns, c.row, s.of_row)
               else format('select %1$s, w.r as o, n.r as n, coalesce(w.s, false) or coalesce(n.s, false) as spoken_of '
                           'from (select %1$s, %2$s as r, %3$s as s from was as t) as w '
                           'full join (select %1$s, %2$s as r, %3$s as s from changed as t) as n using (%1$s)', i.columns, c.row, s.of_row) end
  from columns as c, identity as i, spoken as s
$_$;

-- Name: FUNCTION pairs_query(of_source text, operation text, looking boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.pairs_query(of_source text, operation text, looking boolean) IS 'A query over the transition tables: primary key of each row, its mapped columns before (o) and after (n), and looking, whether the mapping speaks of it.';

-- Name: partitions_of(text); Type: FUNCTION

CREATE FUNCTION crmshift.partitions_of(source text) RETURNS TABLE(name text)
    LANGUAGE sql STABLE
    AS $_$
select format('%I.%I', n.nspname, c.relname)
  from pg_catalog.pg_partition_tree(to_regclass($1)) as p
  join pg_catalog.pg_class as c on c.oid = p.relid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where p.level > 0 and c.relkind <> 'f'  -- a foreign table can have no transition tables
 order by 1
$_$;

-- Name: FUNCTION partitions_of(source text); Type: COMMENT

COMMENT ON FUNCTION crmshift.partitions_of(source text) IS 'Partitions of a table, and theirs, that can have the triggers; none where it is not partitioned.';

-- Name: pause(text, text, interval); Type: PROCEDURE

CREATE PROCEDURE crmshift.pause(IN why text DEFAULT NULL::text, IN entity text DEFAULT NULL::text, IN patience interval DEFAULT '00:00:10'::interval)
    LANGUAGE plpgsql
    AS $$
declare
    open_then text[];
    open_now text;
    until timestamptz;
begin
    perform crmshift.set_control(entity, true, null, null, why);
    commit;
    -- The next statement of anybody sees the row. What was under way may have read the old one: wait for it.
    open_then := array(select w.virtualtransaction from crmshift.writers_in_flight() as w);
    until := pg_catalog.clock_timestamp() + patience;
    loop
        select pg_catalog.string_agg(coalesce(w.pid::text, 'a prepared transaction') || coalesce(' (' || nullif(w.application, '') || ')', ''), ', ')
          into open_now from crmshift.writers_in_flight() as w where w.virtualtransaction = any (open_then);
        exit when open_now is null;
        if pg_catalog.clock_timestamp() > until then
            raise warning 'The sync is paused, but transactions that began before may still be synced: %.', open_now
                using hint = 'Wait until they have ended; select * from crmshift.writers_in_flight() lists them.';
            exit;
        end if;
        perform pg_catalog.pg_sleep(0.01);
        commit;  -- the next look needs a new snapshot
    end loop;
end
$$;

-- Name: PROCEDURE pause(IN why text, IN entity text, IN patience interval); Type: COMMENT

COMMENT ON PROCEDURE crmshift.pause(IN why text, IN entity text, IN patience interval) IS 'From the next statement on, writes are queued and not synced. Takes no lock on any table; returns when those under way have ended, or warns: call crmshift.pause(''why'').';

-- Name: prepare_appointments(bigint[]); Type: FUNCTION

CREATE FUNCTION crmshift.prepare_appointments(appointment_ids bigint[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- Before appointments of legacy are followed. Where no lead is primary until the election, legacy still sees the appointments of
-- the last one, and may delete them: no mapping speaks of these.
declare
    gone bigint[];
begin
    perform crmshift.hold_customers(appointment_ids);
    select array_agg(a.id) into gone
      from unnest(appointment_ids) as k (id) join public.lead_appointments as a on a.id = k.id join public.leads as l on l.id = a.lead_id
     where not exists (select from public.leads as p where p.customer_id = l.customer_id and p.is_primary)
       and not exists (select from public.appointments as o where o.id = a.id);
    if gone is not null then
        perform crmshift.archive_appointment_fields(gone);
        delete from public.lead_appointments as a where a.id = any (gone);
    end if;
end
$$;

-- Name: FUNCTION prepare_appointments(appointment_ids bigint[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.prepare_appointments(appointment_ids bigint[]) IS 'hold_customers(), and what legacy deletes while a customer waits for the election of a primary lead.';

-- Name: queue_again(bigint[], text, text); Type: FUNCTION

CREATE FUNCTION crmshift.queue_again(ids bigint[], state text, why text) RETURNS void
    LANGUAGE sql
    AS $_$
update crmshift.sync_queue as q
   set attempts = q.attempts + 1, sqlstate = $2, message = $3,
       retry_at = case when crmshift.is_transient($2)
                       then clock_timestamp() + make_interval(secs => least(300, 2 ^ least(q.attempts, 10)) * (0.5 + random())) end
 where q.id in (select o.id from crmshift.sync_queue as o where o.id = any ($1) for update skip locked)  -- whoever holds it settles it
$_$;

-- Name: FUNCTION queue_again(ids bigint[], state text, why text); Type: COMMENT

COMMENT ON FUNCTION crmshift.queue_again(ids bigint[], state text, why text) IS 'Another attempt failed: what passes by itself is due again after a while, longer each time.';

-- Name: queue_reached(text, jsonb, text); Type: FUNCTION

CREATE FUNCTION crmshift.queue_reached(of_mapping text, keys jsonb, why text) RETURNS void
    LANGUAGE plpgsql
    AS $_$
-- Queue what a write on the tables of this mapping reaches beyond it: the feeds say so.
declare
    f record;
begin
    for f in select feed.reaches, m.key, m.key_types, case m.direction when 'to_target' then 'legacy' else 'target' end as side
               from crmshift.feed join crmshift.mapping as m on m.name = feed.mapping
              where feed.mapping = of_mapping and feed.reaches is not null loop
        execute format('insert into crmshift.sync_queue (subject, key, side, reason) select r.subject, r.key, $2, $3 from %s(%s) as r',
                       f.reaches,
                       (select string_agg(format('array(select (k ->> %L)::%s from jsonb_array_elements($1) as k)', c, t), ', ' order by i)
                          from unnest(f.key, f.key_types) with ordinality as u (c, t, i)))
          using keys, f.side, why;
        if why = 'nested' then
            perform set_config('crmshift.noted', 'yes', true);
        end if;
    end loop;
end
$_$;

-- Name: FUNCTION queue_reached(of_mapping text, keys jsonb, why text); Type: COMMENT

COMMENT ON FUNCTION crmshift.queue_reached(of_mapping text, keys jsonb, why text) IS 'Queue what a write on the tables of a mapping reaches beyond it.';

-- Name: queue_whole(text, text, text); Type: FUNCTION

CREATE FUNCTION crmshift.queue_whole(written text, state text, of_subject text DEFAULT NULL::text) RETURNS void
    LANGUAGE sql
    AS $_$
insert into crmshift.sync_queue (subject, key, side, reason, sqlstate)
select m.name, '{}', $1, 'failed', $2 from crmshift.mapping as m where m.direction = 'to_legacy' and m.name = coalesce($3, m.name)
$_$;

-- Name: FUNCTION queue_whole(written text, state text, of_subject text); Type: COMMENT

COMMENT ON FUNCTION crmshift.queue_whole(written text, state text, of_subject text) IS 'The last resort, where it cannot be made out which rows a write reached: any of them.';

-- Name: queueing_statement(text, text); Type: FUNCTION

CREATE FUNCTION crmshift.queueing_statement(of_source text, operation text) RETURNS text
    LANGUAGE sql STABLE
    AS $_$
-- The parents as well: what hangs on a row may be what makes its parent's row necessary.
select format('with c as (%1$s) insert into crmshift.sync_queue (subject, key, side, op, reason, changed) select c.subject, c.key, %2$L, c.op, ''paused'', c.changed from c',
              crmshift.changes_query($1, $2), min(s.side))
       || coalesce((select string_agg(format(' union all select distinct %L, jsonb_build_object(%s), %L, ''update'', ''parent'', null::jsonb from %I as r', p.subject,
                                             (select string_agg(format('%L, r.%I', k, c), ', ' order by i) from unnest(p.key, p.columns) with ordinality as u (k, c, i)),
                                             p.side, case $2 when 'DELETE' then 'was' else 'changed' end), '')
                      from crmshift.source_subject as p where p.source = $1 and p.mode = 'fill'), '')
  from crmshift.source_subject as s where s.source = $1
$_$;

-- Name: FUNCTION queueing_statement(of_source text, operation text); Type: COMMENT

COMMENT ON FUNCTION crmshift.queueing_statement(of_source text, operation text) IS 'A statement that queues what a statement wrote, instead of syncing it.';

-- Name: record_conflict(text, jsonb, text, text[], text, text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.record_conflict(of_subject text, of_key jsonb, of_kind text, of_columns text[], by_policy text, won text, lost jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- An open conflict that a person has decided is the same conflict still.
begin
    update crmshift.conflict_log as l set winner = won, losing = lost
     where l.subject = of_subject and l.key = of_key and l.winner is null and l.columns = of_columns;
    if not found then
        insert into crmshift.conflict_log (subject, key, kind, columns, policy, winner, losing)
        values (of_subject, of_key, of_kind, of_columns, by_policy, won, lost);
    end if;
end
$$;

-- Name: FUNCTION record_conflict(of_subject text, of_key jsonb, of_kind text, of_columns text[], by_policy text, won text, lost jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.record_conflict(of_subject text, of_key jsonb, of_kind text, of_columns text[], by_policy text, won text, lost jsonb) IS 'Log a conflict, or how an open one ended.';

-- Name: record_objects(text); Type: FUNCTION

CREATE FUNCTION crmshift.record_objects(of_step text) RETURNS void
    LANGUAGE sql
    AS $_$
insert into crmshift.installed as i (step, kind, subject, name, definition)
select $1, o.* from crmshift.objects(only_written_here => true) as o
on conflict (step, kind, subject, name) do update
   set definition = excluded.definition, server = excluded.server, at = excluded.at
$_$;

-- Name: FUNCTION record_objects(of_step text); Type: COMMENT

COMMENT ON FUNCTION crmshift.record_objects(of_step text) IS 'Record what this transaction has written to the catalogue as the work of a step.';

-- Name: references_to(text); Type: FUNCTION

CREATE FUNCTION crmshift.references_to(of_table text) RETURNS TABLE(child text, columns text[], names text[])
    LANGUAGE sql STABLE
    AS $_$
select format('%I.%I', n.nspname, c.relname),
       array(select a.attname::text from unnest(k.conkey) with ordinality as u (num, i)
               join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = u.num order by i),
       array(select a.attname::text from unnest(k.confkey) with ordinality as u (num, i)
               join pg_catalog.pg_attribute as a on a.attrelid = k.confrelid and a.attnum = u.num order by i)
  from pg_catalog.pg_constraint as k
  join pg_catalog.pg_class as c on c.oid = k.conrelid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where k.confrelid = to_regclass($1) and k.contype = 'f' and k.conparentid = 0
   and exists (select from crmshift.identity_of(format('%I.%I', n.nspname, c.relname)))
 order by 1, k.conname
$_$;

-- Name: FUNCTION references_to(of_table text); Type: COMMENT

COMMENT ON FUNCTION crmshift.references_to(of_table text) IS 'Foreign keys to a table: from which one, which columns to which. A table whose rows nothing identifies is left out.';

-- Name: refuse_old_snapshot(); Type: FUNCTION

CREATE FUNCTION crmshift.refuse_old_snapshot() RETURNS void
    LANGUAGE plpgsql
    AS $$
-- A row that somebody deletes makes a transaction on an older snapshot fail; a TRUNCATE only makes it find the table empty. The
-- table's file tells: the catalogue as the snapshot has it names the old one. Asked once the tables are written, and thereby locked.
begin
    if current_setting('transaction_isolation') <> 'read committed'
       and exists (select from unnest(crmshift.targets_of('legacy') || crmshift.targets_of('target')) as t (relid)
                     left join lateral pg_catalog.pg_partition_tree(t.relid) as p on true
                     join pg_catalog.pg_class as c on c.oid = coalesce(p.relid, t.relid)
                    where nullif(c.relfilenode, 0) <> pg_catalog.pg_relation_filenode(c.oid)) then
        raise exception 'A mapped table was truncated after the snapshot of this transaction was taken.' using errcode = 'serialization_failure';
    end if;
end
$$;

-- Name: FUNCTION refuse_old_snapshot(); Type: COMMENT

COMMENT ON FUNCTION crmshift.refuse_old_snapshot() IS 'Raises where the snapshot of this transaction is older than a TRUNCATE (or a rewrite) of a mapped table.';

-- Name: refuse_partial_view(); Type: FUNCTION

CREATE FUNCTION crmshift.refuse_partial_view() RETURNS void
    LANGUAGE plpgsql STABLE
    AS $$
-- Whoever sees a part of the rows would compare that part, and call clean what he does not see. Forced row-level security is
-- active for owners too: then a policy that lets everything through must apply to the role, and no restrictive one.
declare
    hidden text;
begin
    select string_agg(t.name, ', ' order by t.name) into hidden
      from (select m.target as name from crmshift.mapping as m
             union select f.source from crmshift.feed as f
             union select g.name from crmshift.target_table as g
             union values ('public.workspaces'), ('public.custom_fields')) as t
     where row_security_active(to_regclass(t.name))
       and not coalesce((select bool_or(p.polpermissive and pg_get_expr(p.polqual, p.polrelid) = 'true') and bool_and(p.polpermissive)
                           from pg_catalog.pg_policy as p
                          where p.polrelid = to_regclass(t.name) and p.polcmd in ('*', 'r')
                            and exists (select from unnest(p.polroles) as r (oid) where r.oid = 0 or pg_has_role(r.oid, 'usage'))), false);
    if hidden is not null then
        raise exception 'Row-level security hides rows of % from the role %: what it does not see would be taken for missing.', hidden, current_user
            using errcode = 'SH005', hint = 'Use a role with BYPASSRLS, or the one that installed crmshift.';
    end if;
end
$$;

-- Name: FUNCTION refuse_partial_view(); Type: COMMENT

COMMENT ON FUNCTION crmshift.refuse_partial_view() IS 'Raises where row-level security hides rows of either side from the current role.';

-- Name: refuse_unknown(jsonb, text[], text); Type: FUNCTION

CREATE FUNCTION crmshift.refuse_unknown(facts jsonb, known text[], of_what text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    strangers text;
begin
    if jsonb_typeof(facts) is distinct from 'object' then
        raise exception 'The facts of a % are an object: {"column": value}.', of_what
            using errcode = 'SH004', hint = format('Columns: %s.', array_to_string(known, ', '));
    end if;
    select string_agg(k, ', ' order by k) into strangers from jsonb_object_keys(facts) as k where k <> all (known);
    if strangers is not null then
        raise exception 'A % has no column % to set.', of_what, strangers
            using errcode = 'SH004', hint = format('Columns: %s.', array_to_string(known, ', '));
    end if;
end
$$;

-- Name: FUNCTION refuse_unknown(facts jsonb, known text[], of_what text); Type: COMMENT

COMMENT ON FUNCTION crmshift.refuse_unknown(facts jsonb, known text[], of_what text) IS 'Raises SH004 where facts are no object, or name a column that is not known.';

-- Name: remove_appointments(bigint[]); Type: FUNCTION

CREATE FUNCTION crmshift.remove_appointments(of_id bigint[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Delete from public.appointments those of these keys that crmshift.appointments_expected does not speak of.
declare
    gone_1 bigint[];
    removed bigint;
begin
    select array_agg(t.id) into gone_1
      from unnest($1) as k (id)
      join public.appointments as t on t.id = k.id
     where not exists (select from crmshift.appointments_expected as e where t.id = e.id);
    if gone_1 is null then
        return 0;
    end if;
    perform set_config('crmshift.writing', 'public.appointments', true);
    delete from public.appointments as t using unnest(gone_1) as k (id) where t.id = k.id;
    get diagnostics removed = row_count;
    if removed < cardinality(gone_1) then
        raise exception 'A trigger on public.appointments suppressed the delete.' using errcode = 'SH011';
    end if;
    return removed;
end
$_$;

-- Name: remove_contact_custom_fields(uuid[], uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.remove_contact_custom_fields(of_contact_id uuid[], of_field_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Delete from public.contact_custom_fields those of these keys that crmshift.contact_custom_fields_expected does not speak of.
declare
    gone_1 uuid[]; gone_2 uuid[];
    removed bigint;
begin
    select array_agg(t.contact_id), array_agg(t.field_id) into gone_1, gone_2
      from unnest($1, $2) as k (contact_id, field_id)
      join public.contact_custom_fields as t on t.contact_id = k.contact_id and t.field_id = k.field_id
     where not exists (select from crmshift.contact_custom_fields_expected as e where t.contact_id = e.contact_id and t.field_id = e.field_id);
    if gone_1 is null then
        return 0;
    end if;
    perform set_config('crmshift.writing', 'public.contact_custom_fields', true);
    delete from public.contact_custom_fields as t using unnest(gone_1, gone_2) as k (contact_id, field_id) where t.contact_id = k.contact_id and t.field_id = k.field_id;
    get diagnostics removed = row_count;
    if removed < cardinality(gone_1) then
        raise exception 'A trigger on public.contact_custom_fields suppressed the delete.' using errcode = 'SH011';
    end if;
    return removed;
end
$_$;

-- Name: remove_contacts(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.remove_contacts(of_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Delete from public.contacts those of these keys that crmshift.contacts_expected does not speak of.
declare
    gone_1 uuid[];
    removed bigint;
begin
    select array_agg(t.id) into gone_1
      from unnest($1) as k (id)
      join public.contacts as t on t.id = k.id
     where not exists (select from crmshift.contacts_expected as e where t.id = e.id);
    if gone_1 is null then
        return 0;
    end if;
    perform set_config('crmshift.writing', 'public.contacts', true);
    delete from public.contacts as t using unnest(gone_1) as k (id) where t.id = k.id;
    get diagnostics removed = row_count;
    if removed < cardinality(gone_1) then
        raise exception 'A trigger on public.contacts suppressed the delete.' using errcode = 'SH011';
    end if;
    return removed;
end
$_$;

-- Name: remove_customer_custom_fields(uuid[], uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.remove_customer_custom_fields(of_customer_id uuid[], of_field_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Delete from public.customer_custom_fields those of these keys that crmshift.customer_custom_fields_expected does not speak of.
declare
    gone_1 uuid[]; gone_2 uuid[];
    removed bigint;
begin
    select array_agg(t.customer_id), array_agg(t.field_id) into gone_1, gone_2
      from unnest($1, $2) as k (customer_id, field_id)
      join public.customer_custom_fields as t on t.customer_id = k.customer_id and t.field_id = k.field_id
     where not exists (select from crmshift.customer_custom_fields_expected as e where t.customer_id = e.customer_id and t.field_id = e.field_id);
    if gone_1 is null then
        return 0;
    end if;
    perform set_config('crmshift.writing', 'public.customer_custom_fields', true);
    delete from public.customer_custom_fields as t using unnest(gone_1, gone_2) as k (customer_id, field_id) where t.customer_id = k.customer_id and t.field_id = k.field_id;
    get diagnostics removed = row_count;
    if removed < cardinality(gone_1) then
        raise exception 'A trigger on public.customer_custom_fields suppressed the delete.' using errcode = 'SH011';
    end if;
    return removed;
end
$_$;

-- Name: remove_customers(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.remove_customers(of_cst_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Delete from public.customers those of these keys that crmshift.customers_expected does not speak of.
declare
    gone_1 uuid[];
    removed bigint;
begin
    select array_agg(t.cst_id) into gone_1
      from unnest($1) as k (cst_id)
      join public.customers as t on t.cst_id = k.cst_id
     where not exists (select from crmshift.customers_expected as e where t.cst_id = e.cst_id);
    if gone_1 is null then
        return 0;
    end if;
    perform crmshift.archive_customers(gone_1);
    perform set_config('crmshift.writing', 'public.customers', true);
    delete from public.customers as t using unnest(gone_1) as k (cst_id) where t.cst_id = k.cst_id;
    get diagnostics removed = row_count;
    if removed < cardinality(gone_1) then
        raise exception 'A trigger on public.customers suppressed the delete.' using errcode = 'SH011';
    end if;
    return removed;
end
$_$;

-- Name: remove_lead_appointments(bigint[]); Type: FUNCTION

CREATE FUNCTION crmshift.remove_lead_appointments(of_id bigint[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Delete from public.lead_appointments those of these keys that crmshift.lead_appointments_expected does not speak of.
declare
    gone_1 bigint[];
    removed bigint;
begin
    select array_agg(t.id) into gone_1
      from unnest($1) as k (id)
      join public.lead_appointments as t on t.id = k.id and exists (select from public.leads as l where l.id = t.lead_id and l.is_primary)
     where not exists (select from crmshift.lead_appointments_expected as e where t.id = e.id);
    if gone_1 is null then
        return 0;
    end if;
    perform crmshift.archive_appointment_fields(gone_1);
    perform set_config('crmshift.writing', 'public.lead_appointments', true);
    delete from public.lead_appointments as t using unnest(gone_1) as k (id) where t.id = k.id and exists (select from public.leads as l where l.id = t.lead_id and l.is_primary);
    get diagnostics removed = row_count;
    if removed < cardinality(gone_1) then
        raise exception 'A trigger on public.lead_appointments suppressed the delete.' using errcode = 'SH011';
    end if;
    return removed;
end
$_$;

-- Name: remove_leads(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.remove_leads(of_customer_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Delete from public.leads those of these keys that crmshift.leads_expected does not speak of.
declare
    gone_1 uuid[];
    removed bigint;
begin
    select array_agg(t.customer_id) into gone_1
      from unnest($1) as k (customer_id)
      join public.leads as t on t.customer_id = k.customer_id and t.is_primary
     where not exists (select from crmshift.leads_expected as e where t.customer_id = e.customer_id);
    if gone_1 is null then
        return 0;
    end if;
    perform crmshift.archive_lead(gone_1);
    perform set_config('crmshift.writing', 'public.leads', true);
    delete from public.leads as t using unnest(gone_1) as k (customer_id) where t.customer_id = k.customer_id and t.is_primary;
    get diagnostics removed = row_count;
    if removed < cardinality(gone_1) then
        raise exception 'A trigger on public.leads suppressed the delete.' using errcode = 'SH011';
    end if;
    return removed;
end
$_$;

-- Name: rename_keys(jsonb, text[], text[]); Type: FUNCTION

CREATE FUNCTION crmshift.rename_keys(keys jsonb, old_names text[], new_names text[]) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    AS $$
select jsonb_agg((select jsonb_object_agg(new_name, k -> old_name) from unnest(old_names, new_names) as u (old_name, new_name)))
  from jsonb_array_elements(keys) as k
$$;

-- Name: FUNCTION rename_keys(keys jsonb, old_names text[], new_names text[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.rename_keys(keys jsonb, old_names text[], new_names text[]) IS 'The same keys under other column names.';

-- Name: repair_batch(bigint, text, text[], integer, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.repair_batch(of_run bigint, of_mapping text, kinds text[], most integer, one_by_one boolean DEFAULT false, OUT taken bigint, OUT queued bigint) RETURNS record
    LANGUAGE plpgsql
    AS $$
-- Hand the next keys of these kinds over. one_by_one, where locks were not to be had by all: those of a row that is still locked are queued.
declare
    keys jsonb;
    one jsonb;
begin
    lock table crmshift.backfill_range in row share mode;  -- by this it is known for a batch: see crmshift.backfill_backends()
    with next as (
        delete from crmshift.repair_key as d
         using (select k.id from crmshift.repair_key as k
                 where k.run = of_run and k.mapping = of_mapping and k.kind = any (kinds) order by k.id limit most) as n
         where d.id = n.id returning d.key
    )
    select count(*), jsonb_agg(n.key) into taken, keys from next as n;
    queued := 0;
    if taken > 0 and not one_by_one then
        queued := crmshift.repair_keys(of_run, of_mapping, keys);
    elsif taken > 0 then
        for one in select jsonb_build_array(k) from jsonb_array_elements(keys) as k loop
            begin
                queued := queued + crmshift.repair_keys(of_run, of_mapping, one);
            exception when lock_not_available or deadlock_detected or serialization_failure then
                perform set_config('lock_timeout', '10ms', true);  -- the full wait was spent
                perform set_config('crmshift.deadline', '1', true);  -- long past: queued unseen
                queued := queued + crmshift.sync_or_queue(of_mapping, one);
                perform set_config('crmshift.deadline', '', true);
            end;
        end loop;
    end if;
end
$$;

-- Name: FUNCTION repair_batch(of_run bigint, of_mapping text, kinds text[], most integer, one_by_one boolean, OUT taken bigint, OUT queued bigint); Type: COMMENT

COMMENT ON FUNCTION crmshift.repair_batch(of_run bigint, of_mapping text, kinds text[], most integer, one_by_one boolean, OUT taken bigint, OUT queued bigint) IS 'Hand the next keys of a repair to the writer of their mapping; returns how many, and how many of them had to be queued.';

-- Name: repair_drift(text, uuid); Type: FUNCTION

CREATE FUNCTION crmshift.repair_drift(of_side text, of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(mapping text, "position" integer, kind text, key jsonb)
    LANGUAGE plpgsql STABLE
    AS $$
-- What drifted, and does not stand in the queue. A legacy table that does not know its workspace is asked by way of the target.
declare
    m record;
    waiting boolean := exists (select from crmshift.sync_queue);
begin
    perform crmshift.refuse_partial_view();
    for m in select g.name, g.position,
                    of_workspace is null or exists (select from pg_catalog.pg_attribute as a where a.attname = 'workspace_id'
                                                       and a.attrelid = to_regclass(format('crmshift.%I', g.name || '_expected'))) as knows
               from crmshift.mapping as g where g.direction = case of_side when 'legacy' then 'to_target' else 'to_legacy' end order by g.position loop
        return query
        select m.name, m.position, d.kind, d.key
          from crmshift.drift(m.name, case when m.knows then of_workspace end) as d
         where (not waiting or not crmshift.is_outstanding(m.name, d.key))
           and (m.knows or d.key in (
                select crmshift.rename_keys(jsonb_build_array(o.key), s.columns, s.key) -> 0
                  from crmshift.mapping_subject as s
                  join crmshift.mapping as t on t.name = s.mapping and t.direction = 'to_target'
                 cross join lateral crmshift.drift(t.name, of_workspace) as o
                 where s.subject = m.name));
    end loop;
end
$$;

-- Name: FUNCTION repair_drift(of_side text, of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.repair_drift(of_side text, of_workspace uuid) IS 'The keys that a repair from this side would hand over: select mapping, kind, count(*) from crmshift.repair_drift(''legacy'') group by 1, 2.';

-- Name: repair_image(text, jsonb, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.repair_image(of_mapping text, keys jsonb, locking boolean) RETURNS TABLE(depth integer, table_name text, key jsonb, row_data jsonb, version xid)
    LANGUAGE plpgsql
    AS $$
-- All that handing these keys over can change: the rows of the mapping and what hangs on them, as foreign keys tell; the rows
-- they are made from, which a trigger or an election may change; and their parents, which are made where they lack.
-- Rows of legacy are locked first, as writers do.
declare
    m crmshift.mapping;
    f record;
    fk record;
    i integer := 0;
    got jsonb;
    sources jsonb := '{}';
    tables text[];
    rows jsonb[] := '{}';
    paths text[];
begin
    select * into m from crmshift.mapping where name = of_mapping;
    for f in select w.* from (select g.source, g.key as columns, true as feeds from crmshift.feed as g where g.mapping = m.name and g.mode = 'sync'
                              union all select m.target, m.key, false) as w
              order by w.source = any (array(select t.target from crmshift.mapping as t where t.direction = 'to_target')), w.source loop
        select jsonb_agg(to_jsonb(r)) into got from crmshift.rows_of(f.source, f.columns, keys, m.key, locking) as r;
        continue when got is null;
        return query select 1, g.* from jsonb_to_recordset(got) as g (table_name text, key jsonb, row_data jsonb, version xid);
        if f.feeds then
            sources := sources || jsonb_build_object(f.source, got);
            continue;
        end if;
        -- Level by level: the rows that refer to those just found.
        tables := array[m.target];
        rows := array[got];
        paths := array[' ' || m.target || ' '];
        while i < cardinality(tables) loop
            i := i + 1;
            for fk in select * from crmshift.references_to(tables[i]) loop
                continue when position(' ' || fk.child || ' ' in paths[i]) > 0;
                select jsonb_agg(to_jsonb(r)) into got
                  from crmshift.rows_of(fk.child, fk.columns, (select jsonb_agg(x -> 'row_data') from jsonb_array_elements(rows[i]) as x), fk.names, locking) as r;
                continue when got is null;
                return query select i + 1, g.* from jsonb_to_recordset(got) as g (table_name text, key jsonb, row_data jsonb, version xid);
                tables := tables || fk.child;
                rows := rows || got;
                paths := paths || (paths[i] || fk.child || ' ');
            end loop;
        end loop;
    end loop;
    for f in select p.target, p.key, g.source, g.key as columns
               from crmshift.feed as g join crmshift.mapping as p on p.name = g.mapping and p.direction = m.direction
              where g.mode = 'fill' and sources ? g.source loop
        return query
        select 0, r.* from crmshift.rows_of(f.target, f.key, (select jsonb_agg(x -> 'row_data') from jsonb_array_elements(sources -> f.source) as x), f.columns, false) as r;
    end loop;
end
$$;

-- Name: FUNCTION repair_image(of_mapping text, keys jsonb, locking boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.repair_image(of_mapping text, keys jsonb, locking boolean) IS 'The rows that handing keys of a mapping to its writer can change, parents first.';

-- Name: repair_keys(bigint, text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.repair_keys(of_run bigint, of_mapping text, keys jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
declare
    arrays text[] := array(select (select array_agg(k.key ->> c.name order by k.i) from jsonb_array_elements(keys) with ordinality as k (key, i))::text
                             from crmshift.mapping as m, unnest(m.key) with ordinality as c (name, i) where m.name = of_mapping order by c.i);
    archived bigint := coalesce((select max(a.id) from crmshift.archive as a), 0);
    before jsonb;
    result bigint;
begin
    select coalesce(jsonb_agg(to_jsonb(i)), '[]') into before from crmshift.repair_image(of_mapping, keys, true) as i;
    select b.queued into result from crmshift.write_batch(array[of_mapping], arrays, 'sync') as b;
    with b as (
        select distinct on (x.table_name, x.key) x.* from jsonb_to_recordset(before) as x (depth integer, table_name text, key jsonb, row_data jsonb)
         order by x.table_name, x.key, x.depth desc
    ), a as (
        select distinct on (x.table_name, x.key) x.* from (
            select i.* from crmshift.repair_image(of_mapping, keys, false) as i
            union all  -- and what was there before, wherever it belongs now
            select 0, r.* from (select b.table_name, jsonb_agg(b.key) as keys from b group by 1) as t
             cross join lateral (select array_agg(d.column_name) as columns from crmshift.identity_of(t.table_name) as d) as d
             cross join lateral crmshift.rows_of(t.table_name, d.columns, t.keys, d.columns, false) as r
            union all
            select 0, r.* from crmshift.rows_of('crmshift.archive', '{id}', (select jsonb_agg(jsonb_build_object('id', n.id)) from crmshift.archive as n where n.id > archived), '{id}', false) as r
        ) as x order by x.table_name, x.key, x.depth desc
    )
    insert into crmshift.repair_log (run, mapping, table_name, key, before, after)
    select of_run, of_mapping, coalesce(b.table_name, a.table_name), coalesce(b.key, a.key), b.row_data, a.row_data
      from b full join a on a.table_name = b.table_name and a.key = b.key
     where b.row_data is distinct from a.row_data and (a.key is null or crmshift.is_written_here(a.version))
     order by coalesce(b.depth, a.depth), coalesce(b.table_name, a.table_name), coalesce(b.key, a.key);
    return result;
end
$$;

-- Name: FUNCTION repair_keys(of_run bigint, of_mapping text, keys jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.repair_keys(of_run bigint, of_mapping text, keys jsonb) IS 'Hand keys of a mapping to its writer, and log what that changed; returns how many had to be queued.';

-- Name: repair_start(text, uuid); Type: FUNCTION

CREATE FUNCTION crmshift.repair_start(of_side text, of_workspace uuid DEFAULT NULL::uuid) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
-- Note what drifted, all at once; what an interrupted repair had still to do is made out anew.
declare
    new_run bigint;
begin
    if of_side = 'target' and exists (select from crmshift.check_backfill_complete(of_workspace)) then
        raise exception 'Before the backfill is complete the target cannot be taken to be right: legacy would lose what has not moved yet.'
            using errcode = 'SH003', hint = 'Run: crmshift apply --to parallel-operation';
    end if;
    delete from crmshift.repair_key;
    insert into crmshift.repair_run (side, workspace_id) values (of_side, of_workspace) returning id into new_run;
    insert into crmshift.repair_key (run, mapping, kind, key)
    select new_run, d.mapping, d.kind, d.key from crmshift.repair_drift(of_side, of_workspace) as d order by d.position, d.key;
    update crmshift.repair_run as r
       set planned = coalesce((select jsonb_object_agg(m.mapping, m.kinds)
                                 from (select k.mapping, jsonb_object_agg(k.kind, k.n) as kinds
                                         from (select mapping, kind, count(*) as n from crmshift.repair_key group by 1, 2) as k group by 1) as m), '{}')
     where r.id = new_run;
    return new_run;
end
$$;

-- Name: FUNCTION repair_start(of_side text, of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.repair_start(of_side text, of_workspace uuid) IS 'Begin a repair: note the keys that drifted. Returns its number.';

-- Name: resolve(bigint, text); Type: FUNCTION

CREATE FUNCTION crmshift.resolve(of_conflict bigint, side text) RETURNS text
    LANGUAGE plpgsql
    AS $$
-- Decide an open conflict. When the last of a row's is decided, the row is settled.
declare
    l crmshift.conflict_log;
    open bigint;
begin
    update crmshift.conflict_log as c set decision = side, decided_by = session_user, decided_at = clock_timestamp()
     where c.id = of_conflict and c.winner is null returning c.* into l;
    if not found then
        raise exception 'There is no open conflict %.', of_conflict
            using errcode = 'SH001', hint = 'select id, subject, key, columns from crmshift.conflict_log where winner is null lists them.';
    end if;
    select count(*) into open from crmshift.conflict_log as c
     where c.subject = l.subject and c.key = l.key and c.winner is null and c.decision is null;
    if open > 0 then
        return format('decided; %s more of this row to decide', open);
    end if;
    perform crmshift.settle_row(l.subject, l.key);
    return 'settled';
end
$$;

-- Name: FUNCTION resolve(of_conflict bigint, side text); Type: COMMENT

COMMENT ON FUNCTION crmshift.resolve(of_conflict bigint, side text) IS 'Decide an open conflict: select crmshift.resolve(17, ''legacy'').';

-- Name: resume(text); Type: FUNCTION

CREATE FUNCTION crmshift.resume(entity text DEFAULT NULL::text) RETURNS void
    LANGUAGE sql
    AS $$ select crmshift.set_control(entity, false, null, null, null) $$;

-- Name: FUNCTION resume(entity text); Type: COMMENT

COMMENT ON FUNCTION crmshift.resume(entity text) IS 'Sync writes again. What was queued meanwhile is for crmshift.drain().';

-- Name: rows_of(text, text[], jsonb, text[], boolean); Type: FUNCTION

CREATE FUNCTION crmshift.rows_of(of_table text, columns text[], given jsonb, names text[], locking boolean) RETURNS TABLE(table_name text, key jsonb, row_data jsonb, version xid)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET "IntervalStyle" TO 'postgres'
    SET bytea_output TO 'hex'
    AS $_$
-- The rows of a table whose columns are what the objects of an array have under these names; written the same in every session.
begin
    return query execute (
        select format('select %L::text, jsonb_build_object(%s), to_jsonb(t), t.xmin from %s as t where (%s) in (select %s from jsonb_array_elements($1) as v)%s',
                      of_table, i.key, of_table::regclass, c.columns, c.given,
                      case when locking then format(' order by %s for no key update of t', i.columns) else '' end)
          from (select string_agg(format('%L, t.%I', d.column_name, d.column_name), ', ') as key, string_agg(format('t.%I', d.column_name), ', ') as columns
                  from crmshift.identity_of(of_table) as d) as i,
               (select string_agg(format('t.%I', a.attname), ', ' order by u.n) as columns,
                       string_agg(format('(v ->> %L)::%s', u.name, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' order by u.n) as given
                  from unnest(columns, names) with ordinality as u (col, name, n)
                  join pg_catalog.pg_attribute as a on a.attrelid = of_table::regclass and a.attname = u.col) as c)
    using given;
end
$_$;

-- Name: FUNCTION rows_of(of_table text, columns text[], given jsonb, names text[], locking boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.rows_of(of_table text, columns text[], given jsonb, names text[], locking boolean) IS 'Rows of a table by the values of some columns, with their keys and versions; locked where asked for.';

-- Name: run_check(text, uuid); Type: FUNCTION

CREATE FUNCTION crmshift.run_check(check_name text, of_workspace uuid DEFAULT NULL::uuid) RETURNS TABLE(subject text, key jsonb, detail text, workspace uuid)
    LANGUAGE plpgsql STABLE
    SET jit TO 'off'
    SET work_mem TO '64MB'
    AS $_$
-- drift_<mapping> compares one table with its mapping, leaving out what stands in the queue; any other name is crmshift.check_<name>.
begin
    perform crmshift.refuse_partial_view();
    if not exists (select from crmshift.check_list as l where l.name = check_name) then
        raise exception 'There is no check named %.', check_name
            using errcode = 'SH001', hint = 'select name, title from crmshift.check_list lists them.';
    elsif check_name like 'drift\_%' then
        return query
        select substr(check_name, 7), d.key, concat_ws(': ', d.kind, array_to_string(d.columns, ', ')), null::uuid
          from crmshift.drift(substr(check_name, 7), of_workspace) as d
         where not crmshift.is_outstanding(substr(check_name, 7), d.key);
    else
        return query execute format('select c.subject, c.key, c.detail, (to_jsonb(c) ->> ''workspace'')::uuid from crmshift.%I($1) as c', 'check_' || check_name)
               using of_workspace;
    end if;
end
$_$;

-- Name: FUNCTION run_check(check_name text, of_workspace uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.run_check(check_name text, of_workspace uuid) IS 'One check: no rows when all is well. workspace: null where the check does not say.';

-- Name: set_appointment(uuid, jsonb, bigint); Type: FUNCTION

CREATE FUNCTION crmshift.set_appointment(lead uuid, facts jsonb, appointment bigint DEFAULT NULL::bigint) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
    n public.lead_appointments;
begin
    perform crmshift.refuse_unknown(facts, '{scheduled_at,apptdate,status,reminder_sent}', 'appointment');
    perform crmshift.lock_lead(lead);
    if appointment is null then
        n.scheduled_at := clock_timestamp();
        n := jsonb_populate_record(n, facts);
        insert into public.lead_appointments (lead_id, workspace_id, scheduled_at, apptdate, status, reminder_sent)
        select l.id, l.workspace_id, n.scheduled_at, n.apptdate, n.status, n.reminder_sent from public.leads as l where l.id = lead
        returning id into n.id;
        return n.id;
    end if;
    update public.lead_appointments as a
       set (scheduled_at, apptdate, status, reminder_sent)
         = (select x.scheduled_at, x.apptdate, x.status, x.reminder_sent from jsonb_populate_record(a, facts) as x)
     where a.id = appointment and a.lead_id = lead;
    if not found then
        raise exception 'The lead % has no appointment %.', lead, appointment
            using errcode = 'SH001', hint = 'select id, lead_id from lead_appointments lists those this role can see.';
    end if;
    return appointment;
end
$$;

-- Name: FUNCTION set_appointment(lead uuid, facts jsonb, appointment bigint); Type: COMMENT

COMMENT ON FUNCTION crmshift.set_appointment(lead uuid, facts jsonb, appointment bigint) IS 'Make an appointment of a lead, or change the one given; returns its id: select crmshift.set_appointment(''…'', ''{"apptdate": "2026-03-01 09:00+01"}'').';

-- Name: set_appointment_field(bigint, uuid, text); Type: FUNCTION

CREATE FUNCTION crmshift.set_appointment_field(appointment bigint, field uuid, value text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
declare
    lead uuid := (select a.lead_id from public.lead_appointments as a where a.id = $1);
begin
    if lead is null then
        raise exception 'There is no appointment %.', $1
            using errcode = 'SH001', hint = 'select id from lead_appointments lists those this role can see.';
    end if;
    perform crmshift.lock_lead(lead);
    insert into public.appointment_custom_fields as f (appointment_id, field_id, workspace_id, value)
    select a.id, $2, a.workspace_id, $3 from public.lead_appointments as a where a.id = $1
    on conflict (appointment_id, field_id) do update set value = excluded.value where f.value is distinct from excluded.value;
end
$_$;

-- Name: FUNCTION set_appointment_field(appointment bigint, field uuid, value text); Type: COMMENT

COMMENT ON FUNCTION crmshift.set_appointment_field(appointment bigint, field uuid, value text) IS 'Set the value of a custom field of one appointment; legacy has no place for it.';

-- Name: set_control(text, boolean, text, text, text); Type: FUNCTION

CREATE FUNCTION crmshift.set_control(of_entity text, to_paused boolean, to_mode text, to_on_error text, say text) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- Change what is not null, for one entity or for all.
begin
    if of_entity is not null and not exists (select from crmshift.mapping as m where m.entity = of_entity) then
        raise exception 'There is no entity %.', of_entity
            using errcode = 'SH001', hint = format('Entities: %s.', (select string_agg(distinct m.entity, ', ' order by m.entity) from crmshift.mapping as m));
    end if;
    perform pg_catalog.nextval('crmshift.sync_epoch');
    insert into crmshift.sync_control as c (entity, paused, mode, on_error, epoch, why)
    select distinct m.entity, coalesce(to_paused, false), coalesce(to_mode, 'immediate'), coalesce(to_on_error, 'queue'),
           s.last_value, say
      from crmshift.mapping as m, crmshift.sync_epoch as s
     where m.entity = of_entity or of_entity is null
     order by m.entity
    on conflict (entity) do update
       set paused = coalesce(to_paused, c.paused), mode = coalesce(to_mode, c.mode), on_error = coalesce(to_on_error, c.on_error),
           epoch = excluded.epoch, why = excluded.why, changed_by = session_user, changed_at = clock_timestamp();
end
$$;

-- Name: FUNCTION set_control(of_entity text, to_paused boolean, to_mode text, to_on_error text, say text); Type: COMMENT

COMMENT ON FUNCTION crmshift.set_control(of_entity text, to_paused boolean, to_mode text, to_on_error text, say text) IS 'Change a control row; called by pause, resume, set_mode and set_on_error.';

-- Name: set_customer_field(uuid, uuid, text); Type: FUNCTION

CREATE FUNCTION crmshift.set_customer_field(customer uuid, field uuid, value text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
begin
    perform crmshift.lock_customer(customer);
    insert into public.customer_custom_fields as f (customer_id, field_id, workspace_id, value)
    select c.cst_id, $2, c.workspace_id, $3 from public.customers as c where c.cst_id = $1
    on conflict (customer_id, field_id) do update set value = excluded.value where f.value is distinct from excluded.value;
end
$_$;

-- Name: FUNCTION set_customer_field(customer uuid, field uuid, value text); Type: COMMENT

COMMENT ON FUNCTION crmshift.set_customer_field(customer uuid, field uuid, value text) IS 'Set the value of a custom field of a customer, shared by all its leads; legacy sees it.';

-- Name: set_lead_field(uuid, uuid, text); Type: FUNCTION

CREATE FUNCTION crmshift.set_lead_field(lead uuid, field uuid, value text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
begin
    perform crmshift.lock_lead(lead);
    insert into public.lead_custom_fields as f (lead_id, field_id, workspace_id, value)
    select l.id, $2, l.workspace_id, $3 from public.leads as l where l.id = $1
    on conflict (lead_id, field_id) do update set value = excluded.value where f.value is distinct from excluded.value;
end
$_$;

-- Name: FUNCTION set_lead_field(lead uuid, field uuid, value text); Type: COMMENT

COMMENT ON FUNCTION crmshift.set_lead_field(lead uuid, field uuid, value text) IS 'Set the value of a custom field of one lead; legacy has no place for it.';

-- Name: set_mode(text, text); Type: FUNCTION

CREATE FUNCTION crmshift.set_mode(entity text, mode text) RETURNS void
    LANGUAGE sql
    AS $$ select crmshift.set_control(entity, null, mode, null, null) $$;

-- Name: FUNCTION set_mode(entity text, mode text); Type: COMMENT

COMMENT ON FUNCTION crmshift.set_mode(entity text, mode text) IS 'immediate: write the other side in the same transaction. queued: leave that to whoever drains the queue. select crmshift.set_mode(''appointment'', ''queued'').';

-- Name: set_on_error(text, text); Type: FUNCTION

CREATE FUNCTION crmshift.set_on_error(entity text, on_error text) RETURNS void
    LANGUAGE sql
    AS $$ select crmshift.set_control(entity, null, null, on_error, null) $$;

-- Name: FUNCTION set_on_error(entity text, on_error text); Type: COMMENT

COMMENT ON FUNCTION crmshift.set_on_error(entity text, on_error text) IS 'queue: a write whose sync fails succeeds, and is queued. raise: it fails with the error of the sync.';

-- Name: set_primary_lead(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.set_primary_lead(lead uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
    customer uuid := crmshift.lock_lead(lead);
begin
    update public.leads as l set is_primary = false where l.customer_id = customer and l.is_primary and l.id <> lead;
    update public.leads as l set is_primary = true where l.id = lead and not l.is_primary;
end
$$;

-- Name: FUNCTION set_primary_lead(lead uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.set_primary_lead(lead uuid) IS 'Make this lead the primary one of its customer: the one legacy sees. The contact and its appointments follow.';

-- Name: settle_held(text[]); Type: FUNCTION

CREATE FUNCTION crmshift.settle_held(failed_by text[] DEFAULT '{}'::text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- This transaction has just met rows that the other side had queued writes of, or had already, and queued its own. Now that
-- both are known they can be settled; what cannot stays queued. Likewise what failed by these sqlstates, where the cause is gone.
declare
    r record;
    state text;
    why text;
begin
    for r in select subject, key, array_agg(id) as ids from crmshift.sync_queue
              where txid = pg_current_xact_id() and (reason = 'held' or reason in ('failed', 'parent') and sqlstate = any (failed_by) and key <> '{}') and attempts = 0 group by subject, key loop
        begin
            perform crmshift.settle_row(r.subject, r.key);
        exception when others then
            get stacked diagnostics state = returned_sqlstate, why = message_text;
            perform crmshift.queue_again(r.ids, state, why);
        end;
    end loop;
end
$$;

-- Name: FUNCTION settle_held(failed_by text[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.settle_held(failed_by text[]) IS 'Settle at once what this transaction held back, and what failed by some sqlstates; called by the triggers.';

-- Name: settle_nested(); Type: FUNCTION

CREATE FUNCTION crmshift.settle_nested() RETURNS void
    LANGUAGE plpgsql
    AS $$
-- Triggers of the application wrote mapped rows while a sync was under way. Now that the sync has written
-- all it had to, those rows are synced in turn; three passes, then the keys wait in the queue.
declare
    r record;
begin
    for pass in 1 .. 3 loop
        perform set_config('crmshift.noted', '', true);
        perform crmshift.log_overwritten();
        -- Where the other side has queued writes of the same row, both wait to be settled together.
        update crmshift.sync_queue as n
           set reason = 'held', sqlstate = 'SH010',
               op = case when crmshift.legacy_row(n.subject, n.key, n.side = 'target') is null then 'delete' else n.op end
         where n.txid = pg_current_xact_id() and n.reason = 'nested'
           and exists (select from crmshift.sync_queue as q
                        where q.subject = n.subject and q.key in (n.key, '{}') and q.side <> n.side and q.reason not in ('nested', 'parent'));
        for r in with taken as (
                     delete from crmshift.sync_queue where txid = pg_current_xact_id() and reason = 'nested' returning subject, key, side
                 )
                 select taken.subject, taken.side, jsonb_agg(distinct taken.key) as keys
                   from taken join crmshift.mapping as m on m.name = taken.subject
                  group by taken.subject, taken.side, m.position order by m.position, taken.side loop
            perform crmshift.sync_subjects(r.subject, r.keys, r.side, settling => true);
        end loop;
        if coalesce(current_setting('crmshift.noted', true), '') = '' then
            return;
        end if;
    end loop;
    update crmshift.sync_queue set reason = 'not_converged' where txid = pg_current_xact_id() and reason = 'nested';
    perform set_config('crmshift.noted', '', true);
end
$$;

-- Name: FUNCTION settle_nested(); Type: COMMENT

COMMENT ON FUNCTION crmshift.settle_nested() IS 'Sync what triggers wrote inside a sync; called by the sync itself.';

-- Name: settle_row(text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.settle_row(of_subject text, of_key jsonb) RETURNS integer
    LANGUAGE plpgsql
    AS $$
-- Settle what is queued of one subject, by state, never blindly: the queued writes say which side changed it, and that side is
-- read anew. Where both did, policies decide; what is lost goes to the conflict log. Returns the number of conflicts, or null
-- where a person has to decide one; raises when the subject cannot be settled yet.
declare
    q record;
    w record;
    before text := coalesce(current_setting('crmshift.depth', true), '');
    written text;
    merged jsonb;
    delete_policy text;
    conflicts integer := 0;
    undecided boolean := false;
    both_inserted boolean;
begin
    perform crmshift.lock_row(of_subject, of_key);
    select array_agg(id order by id) as ids,
           (array_agg(side order by id desc) filter (where reason <> 'parent'))[1] as last_side,
           (array_agg(side order by id) filter (where reason <> 'parent'))[1] as first_side,
           count(distinct side) filter (where reason <> 'parent') > 1 as apart,
           (array_agg(op order by id) filter (where side = 'legacy' and reason <> 'parent'))[1] as legacy_op,
           (array_agg(op order by id) filter (where side = 'target' and reason <> 'parent'))[1] as target_op,
           (array_agg(op order by id desc) filter (where side = 'legacy' and reason <> 'parent'))[1] as legacy_last_op,
           (array_agg(op order by id desc) filter (where side = 'target' and reason <> 'parent'))[1] as target_last_op,
           (array_agg(sqlstate order by id) filter (where reason <> 'parent'))[1] is not distinct from 'SH012' as met_another
      into q from crmshift.sync_queue where subject = of_subject and key = of_key;
    if q.ids is null then
        return 0;
    end if;
    if q.last_side is null then  -- nothing of the row itself failed: make sure that it is there
        for w in select distinct side from crmshift.sync_queue where id = any (q.ids) loop
            perform crmshift.ensure_subject(of_subject, of_key, w.side);
        end loop;
        delete from crmshift.sync_queue where id = any (q.ids);
        return 0;
    end if;
    -- What a sync of the row would have prepared was undone with it: there must be a primary lead before the row is read.
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    perform crmshift.ensure_parents(of_subject, jsonb_build_array(of_key));
    perform set_config('crmshift.depth', before, true);

    written := q.last_side;
    both_inserted := q.met_another or coalesce(q.legacy_op = 'insert' and q.target_op = 'insert', false);
    if q.met_another and not q.apart then  -- the other side had it before
        q.first_side := case q.last_side when 'legacy' then 'target' else 'legacy' end;
    end if;
    if q.apart or q.met_another then
        if crmshift.legacy_row(of_subject, of_key, false) is not null and crmshift.legacy_row(of_subject, of_key, true) is not null then
            select coalesce(bool_or(m.columns is not null and m.winner is null), false) into undecided
              from crmshift.merge(of_subject, of_key, q.ids, both_inserted, q.first_side, q.last_side) as m;
            for w in select * from crmshift.merge(of_subject, of_key, q.ids, both_inserted, q.first_side, q.last_side) loop
                if w.columns is null then
                    merged := w.result;
                elsif not undecided or w.winner is null then  -- the rest is settled with what a person has to decide
                    perform crmshift.record_conflict(of_subject, of_key,
                                                     case when both_inserted then 'insert_exists' else 'update_origin_differs' end,
                                                     w.columns, w.policy, w.winner, w.losing);
                    conflicts := conflicts + 1;
                end if;
            end loop;
            written := 'legacy';
        elsif q.apart and q.legacy_last_op = 'delete' and q.target_last_op = 'delete' then
            null;  -- both took it away
        elsif q.apart then
            select coalesce(min(p.policy), 'last_update_wins') into delete_policy
              from crmshift.conflict_policy as p where p.subject = of_subject and p.conflict = 'delete';
            written := case delete_policy when 'last_update_wins' then q.last_side when 'first_update_wins' then q.first_side
                                          when 'legacy_wins' then 'legacy' when 'target_wins' then 'target'
                                          else (select l.decision from crmshift.conflict_log as l
                                                 where l.subject = of_subject and l.key = of_key and l.winner is null and l.columns = '{}') end;
            perform crmshift.record_conflict(of_subject, of_key, 'delete_origin_differs', '{}', delete_policy, written,
                                             (select jsonb_object_agg(c.name, c.pair order by s.id)
                                                from crmshift.sync_queue as s, jsonb_each(s.changed) as c (name, pair)
                                               where s.id = any (q.ids) and s.side <> written));
            conflicts := conflicts + 1;
            undecided := written is null;
        end if;
    end if;
    if undecided then
        update crmshift.sync_queue set reason = 'manual' where id = any (q.ids) and reason <> 'parent';
        return null;
    end if;
    if merged is not null then
        perform crmshift.write_legacy(of_subject, of_key, merged);
    end if;
    perform crmshift.sync_subjects(of_subject, jsonb_build_array(of_key), written, settling => true);
    if written = 'legacy' and q.legacy_last_op = 'delete' then
        conflicts := conflicts + crmshift.log_escaped(of_subject, jsonb_build_array(of_key));
    end if;
    delete from crmshift.sync_queue where id = any (q.ids);
    update crmshift.conflict_log set winner = 'merged' where subject = of_subject and key = of_key and winner is null;  -- they agree by now
    return conflicts;
end
$$;

-- Name: FUNCTION settle_row(of_subject text, of_key jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.settle_row(of_subject text, of_key jsonb) IS 'Settle what is queued of one subject, by its name and key in legacy. Returns the number of conflicts, or null where a person has to decide one.';

-- Name: sync_queue; Type: TABLE

CREATE TABLE crmshift.sync_queue (
    id bigint NOT NULL,
    subject text NOT NULL,
    key jsonb NOT NULL,
    side text NOT NULL,
    op text DEFAULT 'update'::text NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    txid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    sqlstate text,
    message text,
    constraint_name text,
    table_name text,
    column_name text,
    changed jsonb,
    attempts integer DEFAULT 0 NOT NULL,
    retry_at timestamp with time zone,
    CONSTRAINT op_is_known CHECK ((op = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text, 'truncate'::text]))),
    CONSTRAINT reason_is_known CHECK ((reason = ANY (ARRAY['failed'::text, 'parent'::text, 'held'::text, 'paused'::text, 'manual'::text, 'nested'::text, 'not_converged'::text]))),
    CONSTRAINT side_is_known CHECK ((side = ANY (ARRAY['legacy'::text, 'target'::text])))
);

-- Name: TABLE sync_queue; Type: COMMENT

COMMENT ON TABLE crmshift.sync_queue IS 'Writes whose sync is outstanding. Both sides agree about every subject, or it stands here. Append-only for writers, so that queueing never waits.';

-- Name: COLUMN sync_queue.id; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.id IS 'Also the version: of two writes of one subject, the one with the greater id is the later. Drawn while the written row is locked.';

-- Name: COLUMN sync_queue.subject; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.subject IS 'What the two sides do not agree about, by the mapping back to its legacy table: contacts, contact_custom_fields, appointments.';

-- Name: COLUMN sync_queue.key; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.key IS 'Its key in legacy, by column name. Empty: all rows of the subject.';

-- Name: COLUMN sync_queue.side; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.side IS 'Side that was written.';

-- Name: COLUMN sync_queue.op; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.op IS 'What was done there. delete is the tombstone: the row is not brought back by an older write of the other side.';

-- Name: COLUMN sync_queue.reason; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.reason IS 'failed: an error, see sqlstate. paused: the sync is paused, or asynchronous. held: the other side has a queued write of the same row, which must not be overwritten unseen. manual: a conflict waits for crmshift.resolve(). parent: a row that depends on this one failed, and this one may be what was lacking. nested: noted by a trigger inside a sync and settled before it ends. not_converged: two triggers keep rewriting each other.';

-- Name: COLUMN sync_queue.at; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.at IS 'Wall clock when it was queued.';

-- Name: COLUMN sync_queue.txid; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.txid IS 'Transaction that queued it.';

-- Name: COLUMN sync_queue.sqlstate; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.sqlstate IS 'Why. Class 40, 53 and 55 pass by themselves; 22, 23 and 42 wait for a person.';

-- Name: COLUMN sync_queue.message; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.message IS 'Message of the error; may contain values of customers, so it is shown only on request.';

-- Name: COLUMN sync_queue.constraint_name; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.constraint_name IS 'Constraint that was violated, if any.';

-- Name: COLUMN sync_queue.table_name; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.table_name IS 'Table the error speaks of, if any.';

-- Name: COLUMN sync_queue.column_name; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.column_name IS 'Column the error speaks of, if any.';

-- Name: COLUMN sync_queue.changed; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.changed IS 'Mapped columns the write changed, as {column: [old, new]} by the names of the table written; values of customers, shown only on request.';

-- Name: COLUMN sync_queue.attempts; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.attempts IS 'How often a drain tried.';

-- Name: COLUMN sync_queue.retry_at; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_queue.retry_at IS 'When a cause that passes by itself is tried again.';

-- Name: settle_whole(crmshift.sync_queue); Type: FUNCTION

CREATE FUNCTION crmshift.settle_whole(of_entry crmshift.sync_queue) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- An entry without a key is about all rows of a subject: the table was truncated while its sync was not to be had, or it could
-- not be made out which rows a write reached. Rows that stand in the queue by themselves are left to their own entries.
declare
    m record;
    apart jsonb;
begin
    if of_entry.side = 'target' and exists (select from crmshift.check_backfill_complete()) then
        if of_entry.op = 'truncate' then  -- what has not moved yet the target never spoke of
            delete from crmshift.sync_queue where id = of_entry.id;
            return;
        end if;
        raise exception 'Before the backfill is complete, a row that the target lacks may not have moved yet.' using errcode = 'SH014';
    end if;
    for m in select * from crmshift.mappings_of(of_entry.subject, of_entry.side) order by position desc loop
        select jsonb_agg(d.key) into apart
          from crmshift.drift(m.name) as d
         cross join lateral (select crmshift.rename_keys(jsonb_build_array(d.key), m.key, m.columns) -> 0) as s (key)
         where (of_entry.op <> 'truncate' or d.kind <> 'missing')
           and not exists (select from crmshift.sync_queue as q where q.subject = of_entry.subject and q.key = s.key and q.reason <> 'parent');
        if apart is not null then
            perform crmshift.sync_or_queue(m.name, apart);
        end if;
    end loop;
    if of_entry.op = 'truncate' then
        -- A row that the other side wrote before the TRUNCATE went with it; one written since stays, and that is a conflict.
        insert into crmshift.sync_queue (subject, key, side, op, reason)
        select q.subject, q.key, of_entry.side, 'delete', 'held' from crmshift.sync_queue as q
         where q.subject = of_entry.subject and q.side <> of_entry.side and q.key <> '{}' and q.reason <> 'parent'
         group by q.subject, q.key
        having max(q.id) < of_entry.id and (array_agg(q.op order by q.id))[1] <> 'insert';  -- what it never had it did not take away
        insert into crmshift.conflict_log (subject, key, kind, policy, winner)
        select q.subject, q.key, 'delete_origin_differs', 'last_update_wins', max(q.side) from crmshift.sync_queue as q
         where q.subject = of_entry.subject and q.side <> of_entry.side and q.op <> 'insert' and q.key <> '{}' and q.reason <> 'parent'
         group by q.subject, q.key having max(q.id) > of_entry.id;
    end if;
    delete from crmshift.sync_queue where id = of_entry.id;
end
$$;

-- Name: FUNCTION settle_whole(of_entry crmshift.sync_queue); Type: COMMENT

COMMENT ON FUNCTION crmshift.settle_whole(of_entry crmshift.sync_queue) IS 'Settle an entry that is about all rows of a subject.';

-- Name: signal_archive_backlog(); Type: FUNCTION

CREATE FUNCTION crmshift.signal_archive_backlog() RETURNS double precision
    LANGUAGE plpgsql
    AS $_$
declare
    size numeric := pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'));
    segments text[];
    numbers numeric[];
begin
    if pg_catalog.current_setting('archive_mode') = 'off' then
        return 0;
    end if;
    if pg_catalog.has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'execute') then
        return (select count(*) from pg_catalog.pg_ls_archive_statusdir() as f where f.name like '%.ready');
    end if;
    -- Anybody may see what was archived last: the difference to where WAL is written, less the segment being written.
    select array[a.last_archived_wal, pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn())] into segments from pg_catalog.pg_stat_archiver as a;
    if segments[1] is null or segments[1] !~ '^[0-9A-F]{24}$' then
        raise exception 'How many WAL segments wait to be archived is shown to members of pg_monitor only.'
            using errcode = '42501', hint = 'Grant pg_monitor to the role of the backfill.';
    end if;
    select array_agg(('x' || substr(s, 9, 8))::bit(32)::bigint * (4294967296 / size) + ('x' || substr(s, 17, 8))::bit(32)::bigint order by i)
      into numbers from unnest(segments) with ordinality as u (s, i);
    return greatest(numbers[2] - numbers[1] - 1, 0);
end
$_$;

-- Name: FUNCTION signal_archive_backlog(); Type: COMMENT

COMMENT ON FUNCTION crmshift.signal_archive_backlog() IS 'WAL segments that wait to be archived; 0 where there is no archiving.';

-- Name: signal_autovacuum(); Type: FUNCTION

CREATE FUNCTION crmshift.signal_autovacuum() RETURNS double precision
    LANGUAGE sql
    AS $$
-- By the lock it holds, which everybody may see, unlike pg_stat_progress_vacuum. A VACUUM, ANALYZE or CREATE INDEX CONCURRENTLY by hand has the same claim.
select count(distinct l.relation) from pg_catalog.pg_locks as l join crmshift.mapped_relations() as r on r.relation = l.relation and r.written
 where l.locktype = 'relation' and l.granted and l.mode = 'ShareUpdateExclusiveLock'
   and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
$$;

-- Name: FUNCTION signal_autovacuum(); Type: COMMENT

COMMENT ON FUNCTION crmshift.signal_autovacuum() IS 'Tables written by the backfill that are being vacuumed or analyzed.';

-- Name: signal_blocked_sessions(); Type: FUNCTION

CREATE FUNCTION crmshift.signal_blocked_sessions() RETURNS double precision
    LANGUAGE sql
    AS $$
select count(distinct l.pid) from pg_catalog.pg_locks as l, crmshift.backfill_backends() as b (pids)
 where not l.granted and l.pid <> all (b.pids) and pg_catalog.pg_blocking_pids(l.pid) && b.pids
$$;

-- Name: FUNCTION signal_blocked_sessions(); Type: COMMENT

COMMENT ON FUNCTION crmshift.signal_blocked_sessions() IS 'Sessions that wait for a lock which a batch holds, other batches aside.';

-- Name: signal_lock_waiters(); Type: FUNCTION

CREATE FUNCTION crmshift.signal_lock_waiters() RETURNS double precision
    LANGUAGE sql
    AS $$
select count(distinct l.pid) from pg_catalog.pg_locks as l join pg_catalog.pg_stat_activity as a on a.pid = l.pid
 where not l.granted and l.pid <> all (crmshift.backfill_backends())
   and a.datid = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
$$;

-- Name: FUNCTION signal_lock_waiters(); Type: COMMENT

COMMENT ON FUNCTION crmshift.signal_lock_waiters() IS 'Sessions of this database that wait for locks of whomever.';

-- Name: signal_oldest_transaction(); Type: FUNCTION

CREATE FUNCTION crmshift.signal_oldest_transaction() RETURNS double precision
    LANGUAGE plpgsql
    AS $$
declare
    reading double precision;
    hidden boolean;
begin
    select coalesce(extract(epoch from max(pg_catalog.clock_timestamp() - a.xact_start)), 0), coalesce(bool_or(a.state is null), false)
      into reading, hidden
      from pg_catalog.pg_stat_activity as a
     where a.pid <> pg_catalog.pg_backend_pid() and a.pid <> all (crmshift.backfill_backends())
       and a.usesysid is not null  -- not an autovacuum: that is another signal's
       and a.pid in (select l.pid from pg_catalog.pg_locks as l
                      where l.locktype = 'relation' and l.granted and l.relation in (select r.relation from crmshift.mapped_relations() as r)
                        and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database()));
    if hidden then
        raise exception 'Since when transactions of other roles are open is shown to members of pg_monitor only.'
            using errcode = '42501', hint = 'Grant pg_monitor to the role of the backfill.';
    end if;
    return reading;
end
$$;

-- Name: FUNCTION signal_oldest_transaction(); Type: COMMENT

COMMENT ON FUNCTION crmshift.signal_oldest_transaction() IS 'Seconds since the oldest transaction began that has touched a mapped table, batches aside.';

-- Name: signal_queue_growth(); Type: FUNCTION

CREATE FUNCTION crmshift.signal_queue_growth() RETURNS double precision
    LANGUAGE sql
    AS $$
-- The newest are looked at, and no more than 5000, for the queue may be long. Rows that wait for a person (classes 22, 23, 42) are no strain.
select count(*) from (select q.at, q.sqlstate from crmshift.sync_queue as q order by q.id desc limit 5000) as q
 where q.at > pg_catalog.clock_timestamp() - interval '1 minute' and coalesce(q.sqlstate, '') !~ '^(22|23|42)'
$$;

-- Name: FUNCTION signal_queue_growth(); Type: COMMENT

COMMENT ON FUNCTION crmshift.signal_queue_growth() IS 'Rows queued in the last minute, those that wait for a person aside; 5000 means at least so many.';

-- Name: signal_replica_lag(); Type: FUNCTION

CREATE FUNCTION crmshift.signal_replica_lag() RETURNS double precision
    LANGUAGE plpgsql
    AS $$
begin
    if exists (select from pg_catalog.pg_stat_replication where state is null) then
        raise exception 'How far replicas are behind is shown to members of pg_monitor only.'
            using errcode = '42501', hint = 'Grant pg_monitor to the role of the backfill.';
    end if;
    return (select coalesce(extract(epoch from max(r.replay_lag)), 0) from pg_catalog.pg_stat_replication as r);
end
$$;

-- Name: FUNCTION signal_replica_lag(); Type: COMMENT

COMMENT ON FUNCTION crmshift.signal_replica_lag() IS 'Seconds that the slowest replica is behind in replaying; 0 where there is none.';

-- Name: signal_throttle_query(); Type: FUNCTION

CREATE FUNCTION crmshift.signal_throttle_query() RETURNS double precision
    LANGUAGE plpgsql
    AS $$
-- Null where there is no query. It runs read only, in a subtransaction that is taken back, so that it leaves nothing behind.
declare
    query text := (select c.throttle_query from crmshift.backfill_control as c);
    answer text;
begin
    if nullif(btrim(query), '') is null then
        return null;
    end if;
    begin
        perform pg_catalog.set_config('transaction_read_only', 'on', true);
        execute query into answer;
        raise exception using errcode = 'SH019';
    exception when sqlstate 'SH019' then
        null;
    end;
    if answer is null then
        raise exception 'The throttle query gave no value.' using errcode = '22004';
    end if;
    return case lower(answer) when 't' then 1 when 'true' then 1 when 'f' then 0 when 'false' then 0 else answer::double precision end;
end
$$;

-- Name: FUNCTION signal_throttle_query(); Type: COMMENT

COMMENT ON FUNCTION crmshift.signal_throttle_query() IS 'What backfill_control.throttle_query says; true counts as 1.';

-- Name: sync_appointments(bigint[]); Type: FUNCTION

CREATE FUNCTION crmshift.sync_appointments(of_id bigint[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Make public.appointments hold what crmshift.appointments_expected says for these keys; returns how many of them it speaks of.
declare
    expected bigint;
    suppressed bigint := 0;
    uneven jsonb;
    one record;
    stored record;
    another boolean;
    said text;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform from public.appointments as t join unnest($1) as k (id) on t.id = k.id order by t.id for no key update of t;
    end if;
    said := set_config('crmshift.writing', 'public.appointments', true);
    if cardinality($1) = 1 then  -- what most statements write: the same, without what many rows need
        select e.*, t.id is null as "lacks it", (t.contact_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) is distinct from (e.contact_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent) as "differs in it" into one
          from crmshift.appointments_expected as e left join public.appointments as t on t.id = e.id where e.id = ($1)[1];
        if not found then
            return 0;
        elsif one."lacks it" then
            insert into public.appointments as t (id, contact_id, scheduled_at, apptdate, status, reminder_sent) values (one.id, one.contact_id, one.scheduled_at, one.apptdate, one.status, one.reminder_sent)
            on conflict (id) do update set contact_id = excluded.contact_id, scheduled_at = excluded.scheduled_at, apptdate = excluded.apptdate, status = excluded.status, reminder_sent = excluded.reminder_sent
            returning t.* into stored;
        elsif one."differs in it" then
            if current_setting('crmshift.inserting', true) = 'appointments' then
                raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
            end if;
            update public.appointments as t set (contact_id, scheduled_at, apptdate, status, reminder_sent) = row(one.contact_id, one.scheduled_at, one.apptdate, one.status, one.reminder_sent) where t.id = ($1)[1] returning t.* into stored;
        else
            return 1;
        end if;
        expected := 1;
        suppressed := (not found)::integer;
        if found and (stored.id, stored.contact_id, stored.scheduled_at, stored.apptdate, stored.status, stored.reminder_sent) is distinct from (one.id, one.contact_id, one.scheduled_at, one.apptdate, one.status, one.reminder_sent) then
            uneven := jsonb_build_array(jsonb_build_object('id', stored.id));
        end if;
    else
        perform from public.appointments as t join unnest($1) as k (id) on t.id = k.id order by t.id for no key update of t;
        with e as materialized (
            select e.* from (select distinct * from unnest($1) as k (id)) as k join crmshift.appointments_expected as e on e.id = k.id
        ), d as materialized (
            select e.*, t.id is null as "lacks it"
              from e left join public.appointments as t on t.id = e.id
             where t.id is null or (t.contact_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) is distinct from (e.contact_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent)
        ), u as (
            update public.appointments as t set (contact_id, scheduled_at, apptdate, status, reminder_sent) = row(d.contact_id, d.scheduled_at, d.apptdate, d.status, d.reminder_sent) from d where not d."lacks it" and t.id = d.id
            returning t.*
        ), i as (
            insert into public.appointments as t (id, contact_id, scheduled_at, apptdate, status, reminder_sent)
            select d.id, d.contact_id, d.scheduled_at, d.apptdate, d.status, d.reminder_sent from d where d."lacks it" order by d.id
            on conflict (id) do update set contact_id = excluded.contact_id, scheduled_at = excluded.scheduled_at, apptdate = excluded.apptdate, status = excluded.status, reminder_sent = excluded.reminder_sent
            returning t.*
        ), w as (
            select * from u union all select * from i
        )
        select (select count(*) from e), (select count(*) from d) - (select count(*) from w),
               (select jsonb_agg(jsonb_build_object('id', w.id)) from w join d on w.id = d.id where (w.id, w.contact_id, w.scheduled_at, w.apptdate, w.status, w.reminder_sent) is distinct from (d.id, d.contact_id, d.scheduled_at, d.apptdate, d.status, d.reminder_sent)),
               exists (select from u)
          into expected, suppressed, uneven, another;
        if another and current_setting('crmshift.inserting', true) = 'appointments' then
            raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
        end if;
    end if;
    if suppressed > 0 then
        raise exception 'A trigger on public.appointments suppressed the write.' using errcode = 'SH011';
    end if;
    if uneven is not null then  -- a trigger on public.appointments changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'appointments', jsonb_build_object('id', u.r -> 'id'), 'legacy', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return expected;
end
$_$;

-- Name: sync_contact_custom_fields(uuid[], uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.sync_contact_custom_fields(of_contact_id uuid[], of_field_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Make public.contact_custom_fields hold what crmshift.contact_custom_fields_expected says for these keys; returns how many of them it speaks of.
declare
    expected bigint;
    suppressed bigint := 0;
    uneven jsonb;
    one record;
    stored record;
    another boolean;
    said text;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform from public.contact_custom_fields as t join unnest($1, $2) as k (contact_id, field_id) on t.contact_id = k.contact_id and t.field_id = k.field_id order by t.contact_id, t.field_id for no key update of t;
    end if;
    said := set_config('crmshift.writing', 'public.contact_custom_fields', true);
    if cardinality($1) = 1 then  -- what most statements write: the same, without what many rows need
        select e.*, t.contact_id is null as "lacks it", (t.value, t.created_at) is distinct from (e.value, e.created_at) as "differs in it" into one
          from crmshift.contact_custom_fields_expected as e left join public.contact_custom_fields as t on t.contact_id = e.contact_id and t.field_id = e.field_id where e.contact_id = ($1)[1] and e.field_id = ($2)[1];
        if not found then
            return 0;
        elsif one."lacks it" then
            insert into public.contact_custom_fields as t (contact_id, field_id, value, created_at) values (one.contact_id, one.field_id, one.value, one.created_at)
            on conflict (contact_id, field_id) do update set value = excluded.value, created_at = excluded.created_at
            returning t.* into stored;
        elsif one."differs in it" then
            if current_setting('crmshift.inserting', true) = 'contact_custom_fields' then
                raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
            end if;
            update public.contact_custom_fields as t set (value, created_at) = row(one.value, one.created_at) where t.contact_id = ($1)[1] and t.field_id = ($2)[1] returning t.* into stored;
        else
            return 1;
        end if;
        expected := 1;
        suppressed := (not found)::integer;
        if found and (stored.contact_id, stored.field_id, stored.value, stored.created_at) is distinct from (one.contact_id, one.field_id, one.value, one.created_at) then
            uneven := jsonb_build_array(jsonb_build_object('contact_id', stored.contact_id, 'field_id', stored.field_id));
        end if;
    else
        perform from public.contact_custom_fields as t join unnest($1, $2) as k (contact_id, field_id) on t.contact_id = k.contact_id and t.field_id = k.field_id order by t.contact_id, t.field_id for no key update of t;
        with e as materialized (
            select e.* from (select distinct * from unnest($1, $2) as k (contact_id, field_id)) as k join crmshift.contact_custom_fields_expected as e on e.contact_id = k.contact_id and e.field_id = k.field_id
        ), d as materialized (
            select e.*, t.contact_id is null as "lacks it"
              from e left join public.contact_custom_fields as t on t.contact_id = e.contact_id and t.field_id = e.field_id
             where t.contact_id is null or (t.value, t.created_at) is distinct from (e.value, e.created_at)
        ), u as (
            update public.contact_custom_fields as t set (value, created_at) = row(d.value, d.created_at) from d where not d."lacks it" and t.contact_id = d.contact_id and t.field_id = d.field_id
            returning t.*
        ), i as (
            insert into public.contact_custom_fields as t (contact_id, field_id, value, created_at)
            select d.contact_id, d.field_id, d.value, d.created_at from d where d."lacks it" order by d.contact_id, d.field_id
            on conflict (contact_id, field_id) do update set value = excluded.value, created_at = excluded.created_at
            returning t.*
        ), w as (
            select * from u union all select * from i
        )
        select (select count(*) from e), (select count(*) from d) - (select count(*) from w),
               (select jsonb_agg(jsonb_build_object('contact_id', w.contact_id, 'field_id', w.field_id)) from w join d on w.contact_id = d.contact_id and w.field_id = d.field_id where (w.contact_id, w.field_id, w.value, w.created_at) is distinct from (d.contact_id, d.field_id, d.value, d.created_at)),
               exists (select from u)
          into expected, suppressed, uneven, another;
        if another and current_setting('crmshift.inserting', true) = 'contact_custom_fields' then
            raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
        end if;
    end if;
    if suppressed > 0 then
        raise exception 'A trigger on public.contact_custom_fields suppressed the write.' using errcode = 'SH011';
    end if;
    if uneven is not null then  -- a trigger on public.contact_custom_fields changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'contact_custom_fields', jsonb_build_object('contact_id', u.r -> 'contact_id', 'field_id', u.r -> 'field_id'), 'legacy', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return expected;
end
$_$;

-- Name: sync_contacts(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.sync_contacts(of_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Make public.contacts hold what crmshift.contacts_expected says for these keys; returns how many of them it speaks of.
declare
    expected bigint;
    suppressed bigint := 0;
    uneven jsonb;
    one record;
    stored record;
    another boolean;
    said text;
begin
    -- Several tables feed this one: take its rows first, so that the next statement sees what others committed.
    perform from public.contacts as t join unnest($1) as k (id) on t.id = k.id order by t.id for no key update of t;
    said := set_config('crmshift.writing', 'public.contacts', true);
    if cardinality($1) = 1 then  -- what most statements write: the same, without what many rows need
        select e.*, t.id is null as "lacks it", (t.workspace_id, t.firstname, t.lastname, t.email, t.phone_number, t.st_address, t.city, t.state, t.zip, t.lead_source, t.lead_status, t.appointment_status, t.created_at, t.updated_at) is distinct from (e.workspace_id, e.firstname, e.lastname, e.email, e.phone_number, e.st_address, e.city, e.state, e.zip, e.lead_source, e.lead_status, e.appointment_status, e.created_at, e.updated_at) as "differs in it" into one
          from crmshift.contacts_expected as e left join public.contacts as t on t.id = e.id where e.id = ($1)[1];
        if not found then
            return 0;
        elsif one."lacks it" then
            insert into public.contacts as t (id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip, lead_source, lead_status, appointment_status, created_at, updated_at) values (one.id, one.workspace_id, one.firstname, one.lastname, one.email, one.phone_number, one.st_address, one.city, one.state, one.zip, one.lead_source, one.lead_status, one.appointment_status, one.created_at, one.updated_at)
            on conflict (id) do update set workspace_id = excluded.workspace_id, firstname = excluded.firstname, lastname = excluded.lastname, email = excluded.email, phone_number = excluded.phone_number, st_address = excluded.st_address, city = excluded.city, state = excluded.state, zip = excluded.zip, lead_source = excluded.lead_source, lead_status = excluded.lead_status, appointment_status = excluded.appointment_status, created_at = excluded.created_at, updated_at = excluded.updated_at
            returning t.* into stored;
        elsif one."differs in it" then
            if current_setting('crmshift.inserting', true) = 'contacts' then
                raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
            end if;
            update public.contacts as t set (workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip, lead_source, lead_status, appointment_status, created_at, updated_at) = row(one.workspace_id, one.firstname, one.lastname, one.email, one.phone_number, one.st_address, one.city, one.state, one.zip, one.lead_source, one.lead_status, one.appointment_status, one.created_at, one.updated_at) where t.id = ($1)[1] returning t.* into stored;
        else
            return 1;
        end if;
        expected := 1;
        suppressed := (not found)::integer;
        if found and (stored.id, stored.workspace_id, stored.firstname, stored.lastname, stored.email, stored.phone_number, stored.st_address, stored.city, stored.state, stored.zip, stored.lead_source, stored.lead_status, stored.appointment_status, stored.created_at, stored.updated_at) is distinct from (one.id, one.workspace_id, one.firstname, one.lastname, one.email, one.phone_number, one.st_address, one.city, one.state, one.zip, one.lead_source, one.lead_status, one.appointment_status, one.created_at, one.updated_at) then
            uneven := jsonb_build_array(jsonb_build_object('id', stored.id));
        end if;
    else
        with e as materialized (
            select e.* from (select distinct * from unnest($1) as k (id)) as k join crmshift.contacts_expected as e on e.id = k.id
        ), d as materialized (
            select e.*, t.id is null as "lacks it"
              from e left join public.contacts as t on t.id = e.id
             where t.id is null or (t.workspace_id, t.firstname, t.lastname, t.email, t.phone_number, t.st_address, t.city, t.state, t.zip, t.lead_source, t.lead_status, t.appointment_status, t.created_at, t.updated_at) is distinct from (e.workspace_id, e.firstname, e.lastname, e.email, e.phone_number, e.st_address, e.city, e.state, e.zip, e.lead_source, e.lead_status, e.appointment_status, e.created_at, e.updated_at)
        ), u as (
            update public.contacts as t set (workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip, lead_source, lead_status, appointment_status, created_at, updated_at) = row(d.workspace_id, d.firstname, d.lastname, d.email, d.phone_number, d.st_address, d.city, d.state, d.zip, d.lead_source, d.lead_status, d.appointment_status, d.created_at, d.updated_at) from d where not d."lacks it" and t.id = d.id
            returning t.*
        ), i as (
            insert into public.contacts as t (id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip, lead_source, lead_status, appointment_status, created_at, updated_at)
            select d.id, d.workspace_id, d.firstname, d.lastname, d.email, d.phone_number, d.st_address, d.city, d.state, d.zip, d.lead_source, d.lead_status, d.appointment_status, d.created_at, d.updated_at from d where d."lacks it" order by d.id
            on conflict (id) do update set workspace_id = excluded.workspace_id, firstname = excluded.firstname, lastname = excluded.lastname, email = excluded.email, phone_number = excluded.phone_number, st_address = excluded.st_address, city = excluded.city, state = excluded.state, zip = excluded.zip, lead_source = excluded.lead_source, lead_status = excluded.lead_status, appointment_status = excluded.appointment_status, created_at = excluded.created_at, updated_at = excluded.updated_at
            returning t.*
        ), w as (
            select * from u union all select * from i
        )
        select (select count(*) from e), (select count(*) from d) - (select count(*) from w),
               (select jsonb_agg(jsonb_build_object('id', w.id)) from w join d on w.id = d.id where (w.id, w.workspace_id, w.firstname, w.lastname, w.email, w.phone_number, w.st_address, w.city, w.state, w.zip, w.lead_source, w.lead_status, w.appointment_status, w.created_at, w.updated_at) is distinct from (d.id, d.workspace_id, d.firstname, d.lastname, d.email, d.phone_number, d.st_address, d.city, d.state, d.zip, d.lead_source, d.lead_status, d.appointment_status, d.created_at, d.updated_at)),
               exists (select from u)
          into expected, suppressed, uneven, another;
        if another and current_setting('crmshift.inserting', true) = 'contacts' then
            raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
        end if;
    end if;
    if suppressed > 0 then
        raise exception 'A trigger on public.contacts suppressed the write.' using errcode = 'SH011';
    end if;
    if uneven is not null then  -- a trigger on public.contacts changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'contacts', jsonb_build_object('id', u.r -> 'id'), 'legacy', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return expected;
end
$_$;

-- Name: sync_customer_custom_fields(uuid[], uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.sync_customer_custom_fields(of_customer_id uuid[], of_field_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Make public.customer_custom_fields hold what crmshift.customer_custom_fields_expected says for these keys; returns how many of them it speaks of.
declare
    expected bigint;
    suppressed bigint := 0;
    uneven jsonb;
    one record;
    stored record;
    another boolean;
    said text;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform from public.customer_custom_fields as t join unnest($1, $2) as k (customer_id, field_id) on t.customer_id = k.customer_id and t.field_id = k.field_id order by t.customer_id, t.field_id for no key update of t;
    end if;
    said := set_config('crmshift.writing', 'public.customer_custom_fields', true);
    if cardinality($1) = 1 then  -- what most statements write: the same, without what many rows need
        select e.*, t.customer_id is null as "lacks it", (t.workspace_id, t.value, t.created_at) is distinct from (e.workspace_id, e.value, e.created_at) as "differs in it" into one
          from crmshift.customer_custom_fields_expected as e left join public.customer_custom_fields as t on t.customer_id = e.customer_id and t.field_id = e.field_id where e.customer_id = ($1)[1] and e.field_id = ($2)[1];
        if not found then
            return 0;
        elsif one."lacks it" then
            insert into public.customer_custom_fields as t (customer_id, field_id, workspace_id, value, created_at) values (one.customer_id, one.field_id, one.workspace_id, one.value, one.created_at)
            on conflict (customer_id, field_id) do update set workspace_id = excluded.workspace_id, value = excluded.value, created_at = excluded.created_at
            returning t.* into stored;
        elsif one."differs in it" then
            if current_setting('crmshift.inserting', true) = 'customer_custom_fields' then
                raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
            end if;
            update public.customer_custom_fields as t set (workspace_id, value, created_at) = row(one.workspace_id, one.value, one.created_at) where t.customer_id = ($1)[1] and t.field_id = ($2)[1] returning t.* into stored;
        else
            return 1;
        end if;
        expected := 1;
        suppressed := (not found)::integer;
        if found and (stored.customer_id, stored.field_id, stored.workspace_id, stored.value, stored.created_at) is distinct from (one.customer_id, one.field_id, one.workspace_id, one.value, one.created_at) then
            uneven := jsonb_build_array(jsonb_build_object('customer_id', stored.customer_id, 'field_id', stored.field_id));
        end if;
    else
        perform from public.customer_custom_fields as t join unnest($1, $2) as k (customer_id, field_id) on t.customer_id = k.customer_id and t.field_id = k.field_id order by t.customer_id, t.field_id for no key update of t;
        with e as materialized (
            select e.* from (select distinct * from unnest($1, $2) as k (customer_id, field_id)) as k join crmshift.customer_custom_fields_expected as e on e.customer_id = k.customer_id and e.field_id = k.field_id
        ), d as materialized (
            select e.*, t.customer_id is null as "lacks it"
              from e left join public.customer_custom_fields as t on t.customer_id = e.customer_id and t.field_id = e.field_id
             where t.customer_id is null or (t.workspace_id, t.value, t.created_at) is distinct from (e.workspace_id, e.value, e.created_at)
        ), u as (
            update public.customer_custom_fields as t set (workspace_id, value, created_at) = row(d.workspace_id, d.value, d.created_at) from d where not d."lacks it" and t.customer_id = d.customer_id and t.field_id = d.field_id
            returning t.*
        ), i as (
            insert into public.customer_custom_fields as t (customer_id, field_id, workspace_id, value, created_at)
            select d.customer_id, d.field_id, d.workspace_id, d.value, d.created_at from d where d."lacks it" order by d.customer_id, d.field_id
            on conflict (customer_id, field_id) do update set workspace_id = excluded.workspace_id, value = excluded.value, created_at = excluded.created_at
            returning t.*
        ), w as (
            select * from u union all select * from i
        )
        select (select count(*) from e), (select count(*) from d) - (select count(*) from w),
               (select jsonb_agg(jsonb_build_object('customer_id', w.customer_id, 'field_id', w.field_id)) from w join d on w.customer_id = d.customer_id and w.field_id = d.field_id where (w.customer_id, w.field_id, w.workspace_id, w.value, w.created_at) is distinct from (d.customer_id, d.field_id, d.workspace_id, d.value, d.created_at)),
               exists (select from u)
          into expected, suppressed, uneven, another;
        if another and current_setting('crmshift.inserting', true) = 'customer_custom_fields' then
            raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
        end if;
    end if;
    if suppressed > 0 then
        raise exception 'A trigger on public.customer_custom_fields suppressed the write.' using errcode = 'SH011';
    end if;
    if uneven is not null then  -- a trigger on public.customer_custom_fields changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'contact_custom_fields', jsonb_build_object('contact_id', u.r -> 'customer_id', 'field_id', u.r -> 'field_id'), 'target', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return expected;
end
$_$;

-- Name: sync_customers(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.sync_customers(of_cst_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Make public.customers hold what crmshift.customers_expected says for these keys; returns how many of them it speaks of.
declare
    expected bigint;
    suppressed bigint := 0;
    uneven jsonb;
    one record;
    stored record;
    another boolean;
    said text;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform from public.customers as t join unnest($1) as k (cst_id) on t.cst_id = k.cst_id order by t.cst_id for no key update of t;
    end if;
    said := set_config('crmshift.writing', 'public.customers', true);
    if cardinality($1) = 1 then  -- what most statements write: the same, without what many rows need
        select e.*, t.cst_id is null as "lacks it", (t.workspace_id, t.firstname, t.lastname, t.email, t.phone1, t.address1, t.city, t.state, t.zip, t.dateadded) is distinct from (e.workspace_id, e.firstname, e.lastname, e.email, e.phone1, e.address1, e.city, e.state, e.zip, e.dateadded) or (t.lastchanged is not distinct from e.lastchanged
      or coalesce(t.lastchanged, '-infinity') <= e.lastchanged
         and exists (select from public.leads as l where l.customer_id = e.cst_id and l.is_primary)) is not true as "differs in it" into one
          from crmshift.customers_expected as e left join public.customers as t on t.cst_id = e.cst_id where e.cst_id = ($1)[1];
        if not found then
            return 0;
        elsif one."lacks it" then
            insert into public.customers as t (cst_id, workspace_id, firstname, lastname, email, phone1, address1, city, state, zip, dateadded, lastchanged) values (one.cst_id, one.workspace_id, one.firstname, one.lastname, one.email, one.phone1, one.address1, one.city, one.state, one.zip, one.dateadded, one.lastchanged)
            on conflict (cst_id) do update set workspace_id = excluded.workspace_id, firstname = excluded.firstname, lastname = excluded.lastname, email = excluded.email, phone1 = excluded.phone1, address1 = excluded.address1, city = excluded.city, state = excluded.state, zip = excluded.zip, dateadded = excluded.dateadded, lastchanged = excluded.lastchanged
            returning t.* into stored;
        elsif one."differs in it" then
            if current_setting('crmshift.inserting', true) = 'customers' then
                raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
            end if;
            update public.customers as t set (workspace_id, firstname, lastname, email, phone1, address1, city, state, zip, dateadded, lastchanged) = row(one.workspace_id, one.firstname, one.lastname, one.email, one.phone1, one.address1, one.city, one.state, one.zip, one.dateadded, one.lastchanged) where t.cst_id = ($1)[1] returning t.* into stored;
        else
            return 1;
        end if;
        expected := 1;
        suppressed := (not found)::integer;
        if found and (stored.cst_id, stored.workspace_id, stored.firstname, stored.lastname, stored.email, stored.phone1, stored.address1, stored.city, stored.state, stored.zip, stored.dateadded, stored.lastchanged) is distinct from (one.cst_id, one.workspace_id, one.firstname, one.lastname, one.email, one.phone1, one.address1, one.city, one.state, one.zip, one.dateadded, one.lastchanged) then
            uneven := jsonb_build_array(jsonb_build_object('cst_id', stored.cst_id));
        end if;
    else
        perform from public.customers as t join unnest($1) as k (cst_id) on t.cst_id = k.cst_id order by t.cst_id for no key update of t;
        with e as materialized (
            select e.* from (select distinct * from unnest($1) as k (cst_id)) as k join crmshift.customers_expected as e on e.cst_id = k.cst_id
        ), d as materialized (
            select e.*, t.cst_id is null as "lacks it"
              from e left join public.customers as t on t.cst_id = e.cst_id
             where t.cst_id is null or (t.workspace_id, t.firstname, t.lastname, t.email, t.phone1, t.address1, t.city, t.state, t.zip, t.dateadded) is distinct from (e.workspace_id, e.firstname, e.lastname, e.email, e.phone1, e.address1, e.city, e.state, e.zip, e.dateadded) or (t.lastchanged is not distinct from e.lastchanged
      or coalesce(t.lastchanged, '-infinity') <= e.lastchanged
         and exists (select from public.leads as l where l.customer_id = e.cst_id and l.is_primary)) is not true
        ), u as (
            update public.customers as t set (workspace_id, firstname, lastname, email, phone1, address1, city, state, zip, dateadded, lastchanged) = row(d.workspace_id, d.firstname, d.lastname, d.email, d.phone1, d.address1, d.city, d.state, d.zip, d.dateadded, d.lastchanged) from d where not d."lacks it" and t.cst_id = d.cst_id
            returning t.*
        ), i as (
            insert into public.customers as t (cst_id, workspace_id, firstname, lastname, email, phone1, address1, city, state, zip, dateadded, lastchanged)
            select d.cst_id, d.workspace_id, d.firstname, d.lastname, d.email, d.phone1, d.address1, d.city, d.state, d.zip, d.dateadded, d.lastchanged from d where d."lacks it" order by d.cst_id
            on conflict (cst_id) do update set workspace_id = excluded.workspace_id, firstname = excluded.firstname, lastname = excluded.lastname, email = excluded.email, phone1 = excluded.phone1, address1 = excluded.address1, city = excluded.city, state = excluded.state, zip = excluded.zip, dateadded = excluded.dateadded, lastchanged = excluded.lastchanged
            returning t.*
        ), w as (
            select * from u union all select * from i
        )
        select (select count(*) from e), (select count(*) from d) - (select count(*) from w),
               (select jsonb_agg(jsonb_build_object('cst_id', w.cst_id)) from w join d on w.cst_id = d.cst_id where (w.cst_id, w.workspace_id, w.firstname, w.lastname, w.email, w.phone1, w.address1, w.city, w.state, w.zip, w.dateadded, w.lastchanged) is distinct from (d.cst_id, d.workspace_id, d.firstname, d.lastname, d.email, d.phone1, d.address1, d.city, d.state, d.zip, d.dateadded, d.lastchanged)),
               exists (select from u)
          into expected, suppressed, uneven, another;
        if another and current_setting('crmshift.inserting', true) = 'customers' then
            raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
        end if;
    end if;
    if suppressed > 0 then
        raise exception 'A trigger on public.customers suppressed the write.' using errcode = 'SH011';
    end if;
    if uneven is not null then  -- a trigger on public.customers changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'contacts', jsonb_build_object('id', u.r -> 'cst_id'), 'target', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return expected;
end
$_$;

-- Name: sync_from_appointments(bigint[], uuid[], text, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.sync_from_appointments(of_id bigint[], of_contact_id uuid[], op text, raising boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Bring everything up to date that reads these rows of public.appointments. A failure never reaches the caller (unless it asked for it):
-- the batch is halved until the bad keys stand alone, and those are queued. Returns how many were queued.
declare
    expected_3 bigint;
    half integer := cardinality($1) / 2;
    -- Once a lock was not to be had, the rest must not wait for theirs one by one: when this is over, it is queued unseen.
    out_of_time boolean := clock_timestamp() > to_timestamp(nullif(current_setting('crmshift.deadline', true), '')::float8);
    state text := '55P03'; why text := 'no time left to wait for locks'; violated text; in_table text; in_column text;
    waiting boolean; deferring boolean;
    said text;
begin
    if out_of_time is not true then
        begin
            said := set_config('crmshift.depth', pg_trigger_depth()::text, true);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', 'lead_appointments', true);
            end if;
            if crmshift.fill_customers($2) > 0 then  -- what it is made from may be changing, in a transaction that had no need of it
                perform crmshift.lock_sources('customers', crmshift.keys_of('customers', array[$2::text]));
                perform crmshift.sync_customers($2);
            end if;
            if crmshift.fill_leads($2) > 0 then  -- what it is made from may be changing, in a transaction that had no need of it
                perform crmshift.lock_sources('leads', crmshift.keys_of('leads', array[$2::text]));
                perform crmshift.sync_leads($2);
            end if;
            perform crmshift.prepare_appointments($1);
            expected_3 := crmshift.sync_lead_appointments($1);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', '', true);
            end if;
            if expected_3 < cardinality($1) then
                perform crmshift.remove_lead_appointments($1);
            end if;
            if current_setting('transaction_isolation') <> 'read committed' then
                perform crmshift.refuse_old_snapshot();
            end if;
            -- A write of the other side to one of these very rows may wait in the queue. Seen now, with the rows written
            -- and therefore locked: it is not overwritten unseen, both wait to be settled together.
            select exists (select from crmshift.sync_queue),
                   exists (select from pg_catalog.pg_trigger as t
                            where t.tgrelid in ('public.customer_custom_fields'::regclass, 'public.customers'::regclass, 'public.lead_appointments'::regclass, 'public.leads'::regclass) and t.tgdeferrable and t.tgname not like 'crmshift\_%')
              into waiting, deferring;
            if waiting then
                if exists (select from generate_subscripts($1, 1) as i join crmshift.sync_queue as q on (q.subject = 'appointments' and q.key = jsonb_build_object('id', ($1)[i]) or q.subject = 'contacts' and q.key = jsonb_build_object('id', ($2)[i]) and q.op = 'delete')
                            where q.side = 'target' and q.reason not in ('nested', 'parent')) then
                    raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
                end if;
            end if;
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle_nested();
            end if;
            if deferring then
                perform crmshift.try_deferred(array['public.customer_custom_fields'::regclass, 'public.customers'::regclass, 'public.lead_appointments'::regclass, 'public.leads'::regclass]);
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
            return crmshift.sync_from_appointments($1[:half], $2[:half], op, raising) + crmshift.sync_from_appointments($1[half + 1:], $2[half + 1:], op, raising);
        end if;
    end if;
    insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message, constraint_name, table_name, column_name)
    select distinct q.subject, q.key, 'legacy', case when q.reason is null then lower(op) else 'update' end,
           coalesce(q.reason, case when state in ('SH010', 'SH012') then 'held' else 'failed' end), state, why,
           nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
      from generate_subscripts($1, 1) as i, lateral (values ('appointments', jsonb_build_object('id', ($1)[i]), NULL), ('contacts', jsonb_build_object('id', ($2)[i]), 'parent')) as q (subject, key, reason);
    return cardinality($1);
end
$_$;

-- Name: sync_from_contact_custom_fields(uuid[], uuid[], text, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.sync_from_contact_custom_fields(of_contact_id uuid[], of_field_id uuid[], op text, raising boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Bring everything up to date that reads these rows of public.contact_custom_fields. A failure never reaches the caller (unless it asked for it):
-- the batch is halved until the bad keys stand alone, and those are queued. Returns how many were queued.
declare
    expected_3 bigint;
    half integer := cardinality($1) / 2;
    -- Once a lock was not to be had, the rest must not wait for theirs one by one: when this is over, it is queued unseen.
    out_of_time boolean := clock_timestamp() > to_timestamp(nullif(current_setting('crmshift.deadline', true), '')::float8);
    state text := '55P03'; why text := 'no time left to wait for locks'; violated text; in_table text; in_column text;
    waiting boolean; deferring boolean;
    said text;
begin
    if out_of_time is not true then
        begin
            said := set_config('crmshift.depth', pg_trigger_depth()::text, true);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', 'customer_custom_fields', true);
            end if;
            if crmshift.fill_customers($1) > 0 then  -- what it is made from may be changing, in a transaction that had no need of it
                perform crmshift.lock_sources('customers', crmshift.keys_of('customers', array[$1::text]));
                perform crmshift.sync_customers($1);
            end if;
            if crmshift.fill_leads($1) > 0 then  -- what it is made from may be changing, in a transaction that had no need of it
                perform crmshift.lock_sources('leads', crmshift.keys_of('leads', array[$1::text]));
                perform crmshift.sync_leads($1);
            end if;
            expected_3 := crmshift.sync_customer_custom_fields($1, $2);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', '', true);
            end if;
            if expected_3 < cardinality($1) then
                perform crmshift.remove_customer_custom_fields($1, $2);
            end if;
            if current_setting('transaction_isolation') <> 'read committed' then
                perform crmshift.refuse_old_snapshot();
            end if;
            -- A write of the other side to one of these very rows may wait in the queue. Seen now, with the rows written
            -- and therefore locked: it is not overwritten unseen, both wait to be settled together.
            select exists (select from crmshift.sync_queue),
                   exists (select from pg_catalog.pg_trigger as t
                            where t.tgrelid in ('public.customer_custom_fields'::regclass, 'public.customers'::regclass, 'public.lead_appointments'::regclass, 'public.leads'::regclass) and t.tgdeferrable and t.tgname not like 'crmshift\_%')
              into waiting, deferring;
            if waiting then
                if exists (select from generate_subscripts($1, 1) as i join crmshift.sync_queue as q on (q.subject = 'contact_custom_fields' and q.key = jsonb_build_object('contact_id', ($1)[i], 'field_id', ($2)[i]) or q.subject = 'contacts' and q.key = jsonb_build_object('id', ($1)[i]) and q.op = 'delete')
                            where q.side = 'target' and q.reason not in ('nested', 'parent')) then
                    raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
                end if;
            end if;
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle_nested();
            end if;
            if deferring then
                perform crmshift.try_deferred(array['public.customer_custom_fields'::regclass, 'public.customers'::regclass, 'public.lead_appointments'::regclass, 'public.leads'::regclass]);
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
            return crmshift.sync_from_contact_custom_fields($1[:half], $2[:half], op, raising) + crmshift.sync_from_contact_custom_fields($1[half + 1:], $2[half + 1:], op, raising);
        end if;
    end if;
    insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message, constraint_name, table_name, column_name)
    select distinct q.subject, q.key, 'legacy', case when q.reason is null then lower(op) else 'update' end,
           coalesce(q.reason, case when state in ('SH010', 'SH012') then 'held' else 'failed' end), state, why,
           nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
      from generate_subscripts($1, 1) as i, lateral (values ('contact_custom_fields', jsonb_build_object('contact_id', ($1)[i], 'field_id', ($2)[i]), NULL), ('contacts', jsonb_build_object('id', ($1)[i]), 'parent')) as q (subject, key, reason);
    return cardinality($1);
end
$_$;

-- Name: sync_from_contacts(uuid[], text, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.sync_from_contacts(of_id uuid[], op text, raising boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Bring everything up to date that reads these rows of public.contacts. A failure never reaches the caller (unless it asked for it):
-- the batch is halved until the bad keys stand alone, and those are queued. Returns how many were queued.
declare
    expected_1 bigint;
    expected_2 bigint;
    half integer := cardinality($1) / 2;
    -- Once a lock was not to be had, the rest must not wait for theirs one by one: when this is over, it is queued unseen.
    out_of_time boolean := clock_timestamp() > to_timestamp(nullif(current_setting('crmshift.deadline', true), '')::float8);
    state text := '55P03'; why text := 'no time left to wait for locks'; violated text; in_table text; in_column text;
    waiting boolean; deferring boolean;
    said text;
begin
    if out_of_time is not true then
        begin
            said := set_config('crmshift.depth', pg_trigger_depth()::text, true);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', 'customers', true);
            end if;
            expected_1 := crmshift.sync_customers($1);
            expected_2 := crmshift.sync_leads($1);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', '', true);
            end if;
            if expected_2 < cardinality($1) then
                perform crmshift.remove_leads($1);
            end if;
            if expected_1 < cardinality($1) then
                perform crmshift.remove_customers($1);
            end if;
            if current_setting('transaction_isolation') <> 'read committed' then
                perform crmshift.refuse_old_snapshot();
            end if;
            -- A write of the other side to one of these very rows may wait in the queue. Seen now, with the rows written
            -- and therefore locked: it is not overwritten unseen, both wait to be settled together.
            select exists (select from crmshift.sync_queue),
                   exists (select from pg_catalog.pg_trigger as t
                            where t.tgrelid in ('public.customer_custom_fields'::regclass, 'public.customers'::regclass, 'public.lead_appointments'::regclass, 'public.leads'::regclass) and t.tgdeferrable and t.tgname not like 'crmshift\_%')
              into waiting, deferring;
            if waiting then
                if exists (select from generate_subscripts($1, 1) as i join crmshift.sync_queue as q on (q.subject = 'contacts' and q.key = jsonb_build_object('id', ($1)[i]))
                            where q.side = 'target' and q.reason not in ('nested', 'parent')) then
                    raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
                end if;
            end if;
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle_nested();
            end if;
            if deferring then
                perform crmshift.try_deferred(array['public.customer_custom_fields'::regclass, 'public.customers'::regclass, 'public.lead_appointments'::regclass, 'public.leads'::regclass]);
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
            return crmshift.sync_from_contacts($1[:half], op, raising) + crmshift.sync_from_contacts($1[half + 1:], op, raising);
        end if;
    end if;
    insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message, constraint_name, table_name, column_name)
    select distinct q.subject, q.key, 'legacy', case when q.reason is null then lower(op) else 'update' end,
           coalesce(q.reason, case when state in ('SH010', 'SH012') then 'held' else 'failed' end), state, why,
           nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
      from generate_subscripts($1, 1) as i, lateral (values ('contacts', jsonb_build_object('id', ($1)[i]), NULL)) as q (subject, key, reason);
    return cardinality($1);
end
$_$;

-- Name: sync_from_customer_custom_fields(uuid[], uuid[], text, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.sync_from_customer_custom_fields(of_customer_id uuid[], of_field_id uuid[], op text, raising boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Bring everything up to date that reads these rows of public.customer_custom_fields. A failure never reaches the caller (unless it asked for it):
-- the batch is halved until the bad keys stand alone, and those are queued. Returns how many were queued.
declare
    expected_2 bigint;
    half integer := cardinality($1) / 2;
    -- Once a lock was not to be had, the rest must not wait for theirs one by one: when this is over, it is queued unseen.
    out_of_time boolean := clock_timestamp() > to_timestamp(nullif(current_setting('crmshift.deadline', true), '')::float8);
    state text := '55P03'; why text := 'no time left to wait for locks'; violated text; in_table text; in_column text;
    waiting boolean; deferring boolean;
    said text;
begin
    if out_of_time is not true then
        begin
            said := set_config('crmshift.depth', pg_trigger_depth()::text, true);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', 'contact_custom_fields', true);
            end if;
            if crmshift.fill_contacts($1) > 0 then  -- what it is made from may be changing, in a transaction that had no need of it
                perform crmshift.lock_sources('contacts', crmshift.keys_of('contacts', array[$1::text]));
                perform crmshift.sync_contacts($1);
            end if;
            expected_2 := crmshift.sync_contact_custom_fields($1, $2);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', '', true);
            end if;
            if expected_2 < cardinality($1) then
                perform crmshift.remove_contact_custom_fields($1, $2);
            end if;
            if current_setting('transaction_isolation') <> 'read committed' then
                perform crmshift.refuse_old_snapshot();
            end if;
            -- A write of the other side to one of these very rows may wait in the queue. Seen now, with the rows written
            -- and therefore locked: it is not overwritten unseen, both wait to be settled together.
            select exists (select from crmshift.sync_queue),
                   exists (select from pg_catalog.pg_trigger as t
                            where t.tgrelid in ('public.appointments'::regclass, 'public.contact_custom_fields'::regclass, 'public.contacts'::regclass) and t.tgdeferrable and t.tgname not like 'crmshift\_%')
              into waiting, deferring;
            if waiting then
                if exists (select from generate_subscripts($1, 1) as i join crmshift.sync_queue as q on (q.subject = 'contact_custom_fields' and q.key = jsonb_build_object('contact_id', ($1)[i], 'field_id', ($2)[i]) or q.subject = 'contacts' and q.key = jsonb_build_object('id', ($1)[i]) and q.op = 'delete')
                            where q.side = 'legacy' and q.reason not in ('nested', 'parent')) then
                    raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
                end if;
            end if;
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle_nested();
            end if;
            if deferring then
                perform crmshift.try_deferred(array['public.appointments'::regclass, 'public.contact_custom_fields'::regclass, 'public.contacts'::regclass]);
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
            return crmshift.sync_from_customer_custom_fields($1[:half], $2[:half], op, raising) + crmshift.sync_from_customer_custom_fields($1[half + 1:], $2[half + 1:], op, raising);
        end if;
    end if;
    insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message, constraint_name, table_name, column_name)
    select distinct q.subject, q.key, 'target', case when q.reason is null then lower(op) else 'update' end,
           coalesce(q.reason, case when state in ('SH010', 'SH012') then 'held' else 'failed' end), state, why,
           nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
      from generate_subscripts($1, 1) as i, lateral (values ('contact_custom_fields', jsonb_build_object('contact_id', ($1)[i], 'field_id', ($2)[i]), NULL), ('contacts', jsonb_build_object('id', ($1)[i]), 'parent')) as q (subject, key, reason);
    return cardinality($1);
end
$_$;

-- Name: sync_from_customers(uuid[], text, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.sync_from_customers(of_cst_id uuid[], op text, raising boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Bring everything up to date that reads these rows of public.customers. A failure never reaches the caller (unless it asked for it):
-- the batch is halved until the bad keys stand alone, and those are queued. Returns how many were queued.
declare
    expected_1 bigint;
    half integer := cardinality($1) / 2;
    -- Once a lock was not to be had, the rest must not wait for theirs one by one: when this is over, it is queued unseen.
    out_of_time boolean := clock_timestamp() > to_timestamp(nullif(current_setting('crmshift.deadline', true), '')::float8);
    state text := '55P03'; why text := 'no time left to wait for locks'; violated text; in_table text; in_column text;
    waiting boolean; deferring boolean;
    said text;
begin
    if out_of_time is not true then
        begin
            said := set_config('crmshift.depth', pg_trigger_depth()::text, true);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', 'contacts', true);
            end if;
            expected_1 := crmshift.sync_contacts($1);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', '', true);
            end if;
            if expected_1 < cardinality($1) then
                perform crmshift.remove_contacts($1);
            end if;
            if current_setting('transaction_isolation') <> 'read committed' then
                perform crmshift.refuse_old_snapshot();
            end if;
            -- A write of the other side to one of these very rows may wait in the queue. Seen now, with the rows written
            -- and therefore locked: it is not overwritten unseen, both wait to be settled together.
            select exists (select from crmshift.sync_queue),
                   exists (select from pg_catalog.pg_trigger as t
                            where t.tgrelid in ('public.appointments'::regclass, 'public.contact_custom_fields'::regclass, 'public.contacts'::regclass) and t.tgdeferrable and t.tgname not like 'crmshift\_%')
              into waiting, deferring;
            if waiting then
                if exists (select from generate_subscripts($1, 1) as i join crmshift.sync_queue as q on (q.subject = 'contacts' and q.key = jsonb_build_object('id', ($1)[i]))
                            where q.side = 'legacy' and q.reason not in ('nested', 'parent')) then
                    raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
                end if;
            end if;
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle_nested();
            end if;
            if deferring then
                perform crmshift.try_deferred(array['public.appointments'::regclass, 'public.contact_custom_fields'::regclass, 'public.contacts'::regclass]);
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
            return crmshift.sync_from_customers($1[:half], op, raising) + crmshift.sync_from_customers($1[half + 1:], op, raising);
        end if;
    end if;
    insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message, constraint_name, table_name, column_name)
    select distinct q.subject, q.key, 'target', case when q.reason is null then lower(op) else 'update' end,
           coalesce(q.reason, case when state in ('SH010', 'SH012') then 'held' else 'failed' end), state, why,
           nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
      from generate_subscripts($1, 1) as i, lateral (values ('contacts', jsonb_build_object('id', ($1)[i]), NULL)) as q (subject, key, reason);
    return cardinality($1);
end
$_$;

-- Name: sync_from_lead_appointments(bigint[], text, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.sync_from_lead_appointments(of_id bigint[], op text, raising boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Bring everything up to date that reads these rows of public.lead_appointments. A failure never reaches the caller (unless it asked for it):
-- the batch is halved until the bad keys stand alone, and those are queued. Returns how many were queued.
declare
    expected_1 bigint;
    half integer := cardinality($1) / 2;
    -- Once a lock was not to be had, the rest must not wait for theirs one by one: when this is over, it is queued unseen.
    out_of_time boolean := clock_timestamp() > to_timestamp(nullif(current_setting('crmshift.deadline', true), '')::float8);
    state text := '55P03'; why text := 'no time left to wait for locks'; violated text; in_table text; in_column text;
    waiting boolean; deferring boolean;
    said text;
begin
    if out_of_time is not true then
        begin
            said := set_config('crmshift.depth', pg_trigger_depth()::text, true);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', 'appointments', true);
            end if;
            perform crmshift.hold_customers($1);
            expected_1 := crmshift.sync_appointments($1);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', '', true);
            end if;
            if expected_1 < cardinality($1) then
                perform crmshift.remove_appointments($1);
            end if;
            if current_setting('transaction_isolation') <> 'read committed' then
                perform crmshift.refuse_old_snapshot();
            end if;
            -- A write of the other side to one of these very rows may wait in the queue. Seen now, with the rows written
            -- and therefore locked: it is not overwritten unseen, both wait to be settled together.
            select exists (select from crmshift.sync_queue),
                   exists (select from pg_catalog.pg_trigger as t
                            where t.tgrelid in ('public.appointments'::regclass, 'public.contact_custom_fields'::regclass, 'public.contacts'::regclass) and t.tgdeferrable and t.tgname not like 'crmshift\_%')
              into waiting, deferring;
            if waiting then
                if exists (select from generate_subscripts($1, 1) as i join crmshift.sync_queue as q on (q.subject = 'appointments' and q.key = jsonb_build_object('id', ($1)[i]))
                            where q.side = 'legacy' and q.reason not in ('nested', 'parent')) then
                    raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
                end if;
            end if;
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle_nested();
            end if;
            if deferring then
                perform crmshift.try_deferred(array['public.appointments'::regclass, 'public.contact_custom_fields'::regclass, 'public.contacts'::regclass]);
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
            return crmshift.sync_from_lead_appointments($1[:half], op, raising) + crmshift.sync_from_lead_appointments($1[half + 1:], op, raising);
        end if;
    end if;
    insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message, constraint_name, table_name, column_name)
    select distinct q.subject, q.key, 'target', case when q.reason is null then lower(op) else 'update' end,
           coalesce(q.reason, case when state in ('SH010', 'SH012') then 'held' else 'failed' end), state, why,
           nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
      from generate_subscripts($1, 1) as i, lateral (values ('appointments', jsonb_build_object('id', ($1)[i]), NULL)) as q (subject, key, reason);
    return cardinality($1);
end
$_$;

-- Name: sync_from_leads(uuid[], text, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.sync_from_leads(of_customer_id uuid[], op text, raising boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Bring everything up to date that reads these rows of public.leads. A failure never reaches the caller (unless it asked for it):
-- the batch is halved until the bad keys stand alone, and those are queued. Returns how many were queued.
declare
    expected_1 bigint;
    half integer := cardinality($1) / 2;
    -- Once a lock was not to be had, the rest must not wait for theirs one by one: when this is over, it is queued unseen.
    out_of_time boolean := clock_timestamp() > to_timestamp(nullif(current_setting('crmshift.deadline', true), '')::float8);
    state text := '55P03'; why text := 'no time left to wait for locks'; violated text; in_table text; in_column text;
    waiting boolean; deferring boolean;
    said text;
begin
    if out_of_time is not true then
        begin
            said := set_config('crmshift.depth', pg_trigger_depth()::text, true);
            perform crmshift.follow_primary_lead($1);
            expected_1 := crmshift.sync_contacts($1);
            if op = 'INSERT' then
                said := set_config('crmshift.inserting', '', true);
            end if;
            if expected_1 < cardinality($1) then
                perform crmshift.remove_contacts($1);
            end if;
            if current_setting('transaction_isolation') <> 'read committed' then
                perform crmshift.refuse_old_snapshot();
            end if;
            -- A write of the other side to one of these very rows may wait in the queue. Seen now, with the rows written
            -- and therefore locked: it is not overwritten unseen, both wait to be settled together.
            select exists (select from crmshift.sync_queue),
                   exists (select from pg_catalog.pg_trigger as t
                            where t.tgrelid in ('public.appointments'::regclass, 'public.contact_custom_fields'::regclass, 'public.contacts'::regclass) and t.tgdeferrable and t.tgname not like 'crmshift\_%')
              into waiting, deferring;
            if waiting then
                if exists (select from generate_subscripts($1, 1) as i join crmshift.sync_queue as q on (q.subject = 'contacts' and q.key = jsonb_build_object('id', ($1)[i]))
                            where q.side = 'legacy' and q.reason not in ('nested', 'parent')) then
                    raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
                end if;
            end if;
            insert into crmshift.sync_queue (subject, key, side, reason) select r.subject, r.key, 'target', 'nested' from crmshift.appointments_of_leads($1) as r;
            if found then
                perform set_config('crmshift.noted', 'yes', true);
            end if;
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle_nested();
            end if;
            if deferring then
                perform crmshift.try_deferred(array['public.appointments'::regclass, 'public.contact_custom_fields'::regclass, 'public.contacts'::regclass]);
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
            return crmshift.sync_from_leads($1[:half], op, raising) + crmshift.sync_from_leads($1[half + 1:], op, raising);
        end if;
    end if;
    insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message, constraint_name, table_name, column_name)
    select distinct q.subject, q.key, 'target', case when q.reason is null then lower(op) else 'update' end,
           coalesce(q.reason, case when state in ('SH010', 'SH012') then 'held' else 'failed' end), state, why,
           nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
      from generate_subscripts($1, 1) as i, lateral (values ('contacts', jsonb_build_object('id', ($1)[i]), NULL)) as q (subject, key, reason);
    begin
        insert into crmshift.sync_queue (subject, key, side, reason, sqlstate) select r.subject, r.key, 'target', 'failed', state from crmshift.appointments_of_leads($1) as r;
    exception when others then
        perform crmshift.queue_whole('target', sqlstate);
    end;
    return cardinality($1);
end
$_$;

-- Name: sync_keys(text, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.sync_keys(of_mapping text, keys jsonb) RETURNS void
    LANGUAGE sql
    AS $$ select crmshift.sync_rows(array[of_mapping], array[keys]) $$;

-- Name: FUNCTION sync_keys(of_mapping text, keys jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.sync_keys(of_mapping text, keys jsonb) IS 'Bring keys of one mapping up to date: select crmshift.sync_keys(''customers'', ''[{"cst_id": "…"}]''). Raises when it cannot.';

-- Name: sync_lead_appointments(bigint[]); Type: FUNCTION

CREATE FUNCTION crmshift.sync_lead_appointments(of_id bigint[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Make public.lead_appointments hold what crmshift.lead_appointments_expected says for these keys; returns how many of them it speaks of.
declare
    expected bigint;
    suppressed bigint := 0;
    uneven jsonb;
    one record;
    stored record;
    another boolean;
    said text;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform from public.lead_appointments as t join unnest($1) as k (id) on t.id = k.id order by t.id for no key update of t;
    end if;
    said := set_config('crmshift.writing', 'public.lead_appointments', true);
    if cardinality($1) = 1 then  -- what most statements write: the same, without what many rows need
        select e.*, t.id is null as "lacks it", (t.lead_id, t.workspace_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) is distinct from (e.lead_id, e.workspace_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent) as "differs in it" into one
          from crmshift.lead_appointments_expected as e left join public.lead_appointments as t on t.id = e.id and exists (select from public.leads as l where l.id = t.lead_id and l.is_primary) where e.id = ($1)[1];
        if not found then
            return 0;
        elsif one."lacks it" then
            insert into public.lead_appointments as t (id, lead_id, workspace_id, scheduled_at, apptdate, status, reminder_sent) values (one.id, one.lead_id, one.workspace_id, one.scheduled_at, one.apptdate, one.status, one.reminder_sent)
            on conflict (id) do update set lead_id = excluded.lead_id, workspace_id = excluded.workspace_id, scheduled_at = excluded.scheduled_at, apptdate = excluded.apptdate, status = excluded.status, reminder_sent = excluded.reminder_sent where exists (select from public.leads as l where l.id = t.lead_id and l.is_primary)
            returning t.* into stored;
        elsif one."differs in it" then
            if current_setting('crmshift.inserting', true) = 'lead_appointments' then
                raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
            end if;
            update public.lead_appointments as t set (lead_id, workspace_id, scheduled_at, apptdate, status, reminder_sent) = row(one.lead_id, one.workspace_id, one.scheduled_at, one.apptdate, one.status, one.reminder_sent) where t.id = ($1)[1] and exists (select from public.leads as l where l.id = t.lead_id and l.is_primary) returning t.* into stored;
        else
            return 1;
        end if;
        expected := 1;
        suppressed := (not found)::integer;
        if found and (stored.id, stored.lead_id, stored.workspace_id, stored.scheduled_at, stored.apptdate, stored.status, stored.reminder_sent) is distinct from (one.id, one.lead_id, one.workspace_id, one.scheduled_at, one.apptdate, one.status, one.reminder_sent) then
            uneven := jsonb_build_array(jsonb_build_object('id', stored.id));
        end if;
    else
        perform from public.lead_appointments as t join unnest($1) as k (id) on t.id = k.id order by t.id for no key update of t;
        with e as materialized (
            select e.* from (select distinct * from unnest($1) as k (id)) as k join crmshift.lead_appointments_expected as e on e.id = k.id
        ), d as materialized (
            select e.*, t.id is null as "lacks it"
              from e left join public.lead_appointments as t on t.id = e.id and exists (select from public.leads as l where l.id = t.lead_id and l.is_primary)
             where t.id is null or (t.lead_id, t.workspace_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) is distinct from (e.lead_id, e.workspace_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent)
        ), u as (
            update public.lead_appointments as t set (lead_id, workspace_id, scheduled_at, apptdate, status, reminder_sent) = row(d.lead_id, d.workspace_id, d.scheduled_at, d.apptdate, d.status, d.reminder_sent) from d where not d."lacks it" and t.id = d.id and exists (select from public.leads as l where l.id = t.lead_id and l.is_primary)
            returning t.*
        ), i as (
            insert into public.lead_appointments as t (id, lead_id, workspace_id, scheduled_at, apptdate, status, reminder_sent)
            select d.id, d.lead_id, d.workspace_id, d.scheduled_at, d.apptdate, d.status, d.reminder_sent from d where d."lacks it" order by d.id
            on conflict (id) do update set lead_id = excluded.lead_id, workspace_id = excluded.workspace_id, scheduled_at = excluded.scheduled_at, apptdate = excluded.apptdate, status = excluded.status, reminder_sent = excluded.reminder_sent where exists (select from public.leads as l where l.id = t.lead_id and l.is_primary)
            returning t.*
        ), w as (
            select * from u union all select * from i
        )
        select (select count(*) from e), (select count(*) from d) - (select count(*) from w),
               (select jsonb_agg(jsonb_build_object('id', w.id)) from w join d on w.id = d.id where (w.id, w.lead_id, w.workspace_id, w.scheduled_at, w.apptdate, w.status, w.reminder_sent) is distinct from (d.id, d.lead_id, d.workspace_id, d.scheduled_at, d.apptdate, d.status, d.reminder_sent)),
               exists (select from u)
          into expected, suppressed, uneven, another;
        if another and current_setting('crmshift.inserting', true) = 'lead_appointments' then
            raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
        end if;
    end if;
    if suppressed > 0 then
        if exists (select from public.lead_appointments as t join unnest($1) as k (id) on t.id = k.id where not (exists (select from public.leads as l where l.id = t.lead_id and l.is_primary))) then
            raise exception 'There is a row of public.lead_appointments under the same key that the mapping lead_appointments does not speak of.'
                using errcode = 'SH013', hint = 'Give one of them another key.';
        end if;
        raise exception 'A trigger on public.lead_appointments suppressed the write.' using errcode = 'SH011';
    end if;
    if uneven is not null then  -- a trigger on public.lead_appointments changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'appointments', jsonb_build_object('id', u.r -> 'id'), 'target', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return expected;
end
$_$;

-- Name: sync_leads(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.sync_leads(of_customer_id uuid[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
-- Make public.leads hold what crmshift.leads_expected says for these keys; returns how many of them it speaks of.
declare
    expected bigint;
    suppressed bigint := 0;
    uneven jsonb;
    one record;
    stored record;
    another boolean;
    said text;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform from public.leads as t join unnest($1) as k (customer_id) on t.customer_id = k.customer_id order by t.customer_id for no key update of t;
    end if;
    said := set_config('crmshift.writing', 'public.leads', true);
    if cardinality($1) = 1 then  -- what most statements write: the same, without what many rows need
        select e.*, t.customer_id is null as "lacks it", (t.workspace_id, t.is_primary, t.source, t.disposition, t.appointment_status, t.entrydate) is distinct from (e.workspace_id, e.is_primary, e.source, e.disposition, e.appointment_status, e.entrydate) or (t.lastchangedon is not distinct from e.lastchangedon
      or coalesce(t.lastchangedon, '-infinity') <= e.lastchangedon
         and exists (select from public.customers as o where o.cst_id = e.customer_id and o.lastchanged = e.lastchangedon)) is not true as "differs in it" into one
          from crmshift.leads_expected as e left join public.leads as t on t.customer_id = e.customer_id and t.is_primary where e.customer_id = ($1)[1];
        if not found then
            return 0;
        elsif one."lacks it" then
            insert into public.leads as t (customer_id, workspace_id, is_primary, source, disposition, appointment_status, entrydate, lastchangedon) values (one.customer_id, one.workspace_id, one.is_primary, one.source, one.disposition, one.appointment_status, one.entrydate, one.lastchangedon)
            on conflict (customer_id) where is_primary do update set workspace_id = excluded.workspace_id, source = excluded.source, disposition = excluded.disposition, appointment_status = excluded.appointment_status, entrydate = excluded.entrydate, lastchangedon = excluded.lastchangedon
            returning t.* into stored;
        elsif one."differs in it" then
            if current_setting('crmshift.inserting', true) = 'leads' then
                raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
            end if;
            update public.leads as t set (workspace_id, source, disposition, appointment_status, entrydate, lastchangedon) = row(one.workspace_id, one.source, one.disposition, one.appointment_status, one.entrydate, one.lastchangedon) where t.customer_id = ($1)[1] and t.is_primary returning t.* into stored;
        else
            return 1;
        end if;
        expected := 1;
        suppressed := (not found)::integer;
        if found and (stored.customer_id, stored.workspace_id, stored.is_primary, stored.source, stored.disposition, stored.appointment_status, stored.entrydate, stored.lastchangedon) is distinct from (one.customer_id, one.workspace_id, one.is_primary, one.source, one.disposition, one.appointment_status, one.entrydate, one.lastchangedon) then
            uneven := jsonb_build_array(jsonb_build_object('customer_id', stored.customer_id));
        end if;
    else
        perform from public.leads as t join unnest($1) as k (customer_id) on t.customer_id = k.customer_id order by t.customer_id for no key update of t;
        with e as materialized (
            select e.* from (select distinct * from unnest($1) as k (customer_id)) as k join crmshift.leads_expected as e on e.customer_id = k.customer_id
        ), d as materialized (
            select e.*, t.customer_id is null as "lacks it"
              from e left join public.leads as t on t.customer_id = e.customer_id and t.is_primary
             where t.customer_id is null or (t.workspace_id, t.is_primary, t.source, t.disposition, t.appointment_status, t.entrydate) is distinct from (e.workspace_id, e.is_primary, e.source, e.disposition, e.appointment_status, e.entrydate) or (t.lastchangedon is not distinct from e.lastchangedon
      or coalesce(t.lastchangedon, '-infinity') <= e.lastchangedon
         and exists (select from public.customers as o where o.cst_id = e.customer_id and o.lastchanged = e.lastchangedon)) is not true
        ), u as (
            update public.leads as t set (workspace_id, source, disposition, appointment_status, entrydate, lastchangedon) = row(d.workspace_id, d.source, d.disposition, d.appointment_status, d.entrydate, d.lastchangedon) from d where not d."lacks it" and t.customer_id = d.customer_id and t.is_primary
            returning t.*
        ), i as (
            insert into public.leads as t (customer_id, workspace_id, is_primary, source, disposition, appointment_status, entrydate, lastchangedon)
            select d.customer_id, d.workspace_id, d.is_primary, d.source, d.disposition, d.appointment_status, d.entrydate, d.lastchangedon from d where d."lacks it" order by d.customer_id
            on conflict (customer_id) where is_primary do update set workspace_id = excluded.workspace_id, source = excluded.source, disposition = excluded.disposition, appointment_status = excluded.appointment_status, entrydate = excluded.entrydate, lastchangedon = excluded.lastchangedon
            returning t.*
        ), w as (
            select * from u union all select * from i
        )
        select (select count(*) from e), (select count(*) from d) - (select count(*) from w),
               (select jsonb_agg(jsonb_build_object('customer_id', w.customer_id)) from w join d on w.customer_id = d.customer_id where (w.customer_id, w.workspace_id, w.is_primary, w.source, w.disposition, w.appointment_status, w.entrydate, w.lastchangedon) is distinct from (d.customer_id, d.workspace_id, d.is_primary, d.source, d.disposition, d.appointment_status, d.entrydate, d.lastchangedon)),
               exists (select from u)
          into expected, suppressed, uneven, another;
        if another and current_setting('crmshift.inserting', true) = 'leads' then
            raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
        end if;
    end if;
    if suppressed > 0 then
        raise exception 'A trigger on public.leads suppressed the write.' using errcode = 'SH011';
    end if;
    if uneven is not null then  -- a trigger on public.leads changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select 'contacts', jsonb_build_object('id', u.r -> 'customer_id'), 'target', 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;
    return expected;
end
$_$;

-- Name: sync_or_queue(text, jsonb, text, text); Type: FUNCTION

CREATE FUNCTION crmshift.sync_or_queue(of_mapping text, keys jsonb, verb text DEFAULT 'sync'::text, op text DEFAULT 'update'::text) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
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
                if before = '' then
                    if current_setting('crmshift.noted', true) = 'yes' then
                        perform crmshift.settle_nested();
                    end if;
                    perform crmshift.try_deferred(crmshift.targets_of('legacy') || crmshift.targets_of('target'));
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
            queued := crmshift.sync_or_queue(of_mapping, (select jsonb_agg(k) from jsonb_array_elements(keys) with ordinality as u (k, i) where i <= n / 2), verb, op)
                    + crmshift.sync_or_queue(of_mapping, (select jsonb_agg(k) from jsonb_array_elements(keys) with ordinality as u (k, i) where i > n / 2), verb, op);
        end if;
    end if;
    if queued is null then
        insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message, constraint_name, table_name, column_name)
        select s.subject, k.key, case m.direction when 'to_target' then 'legacy' else 'target' end, sync_or_queue.op,
               case state when 'SH010' then 'held' else 'failed' end, state, why, nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
          from crmshift.mapping_subject as s join crmshift.mapping as m on m.name = s.mapping
         cross join jsonb_array_elements(crmshift.rename_keys(keys, s.columns, s.key)) as k (key)
         where s.mapping = of_mapping;
        begin
            perform crmshift.queue_reached(of_mapping, keys, 'failed');
        exception when others then
            perform crmshift.queue_whole(case m.direction when 'to_target' then 'legacy' else 'target' end, sqlstate)
               from crmshift.mapping as m where m.name = of_mapping;
        end;
        queued := n;
    end if;
    if first then
        perform set_config('crmshift.deadline', '', true);
    end if;
    return queued;
end
$$;

-- Name: FUNCTION sync_or_queue(of_mapping text, keys jsonb, verb text, op text); Type: COMMENT

COMMENT ON FUNCTION crmshift.sync_or_queue(of_mapping text, keys jsonb, verb text, op text) IS 'Sync keys of one mapping; those that fail are queued, as written by op. Returns how many were queued.';

-- Name: sync_rows(text[], jsonb[], boolean); Type: FUNCTION

CREATE FUNCTION crmshift.sync_rows(of_mappings text[], keys jsonb[], settling boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- Bring keys of several mappings of one direction, given parents first, up to date, whatever the state of either side: rows
-- are written parents first and removed children first. Raises when it cannot, or when a queued write of the other side
-- would be overwritten; unless it is called to settle just those.
declare
    before text := coalesce(current_setting('crmshift.depth', true), '');
begin
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    for i in 1 .. cardinality(of_mappings) loop
        perform crmshift.lock_sources(of_mappings[i], keys[i]);
        perform crmshift.ensure_parents(of_mappings[i], keys[i]);
        perform crmshift.call_writer('sync', of_mappings[i], keys[i]);
        perform crmshift.queue_reached(of_mappings[i], keys[i], 'nested');
    end loop;
    for i in reverse cardinality(of_mappings) .. 1 loop
        perform crmshift.call_writer('remove', of_mappings[i], keys[i]);
    end loop;
    perform crmshift.refuse_old_snapshot();
    if not settling and exists (select from crmshift.sync_queue)
       and exists (select from unnest(of_mappings, keys) as w (mapping, keys) where crmshift.held(w.mapping, w.keys)) then
        raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
    end if;
    if before = '' then
        if current_setting('crmshift.noted', true) = 'yes' then
            perform crmshift.settle_nested();
        end if;
        perform crmshift.try_deferred(crmshift.targets_of('legacy') || crmshift.targets_of('target'));
    end if;
    perform set_config('crmshift.depth', before, true);
end
$$;

-- Name: FUNCTION sync_rows(of_mappings text[], keys jsonb[], settling boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.sync_rows(of_mappings text[], keys jsonb[], settling boolean) IS 'Bring keys of several mappings, given parents first, up to date. Raises when it cannot.';

-- Name: sync_subjects(text, jsonb, text, boolean); Type: FUNCTION

CREATE FUNCTION crmshift.sync_subjects(of_subject text, keys jsonb, written text, settling boolean DEFAULT false) RETURNS void
    LANGUAGE sql
    AS $_$
-- The written side of these subjects is taken as it stands, and the other brought up to date.
select crmshift.sync_rows(array_agg(m.name order by m.position),
                          array_agg(crmshift.rename_keys($2, m.columns, m.key) order by m.position), $4)
  from crmshift.mappings_of($1, $3) as m
$_$;

-- Name: FUNCTION sync_subjects(of_subject text, keys jsonb, written text, settling boolean); Type: COMMENT

COMMENT ON FUNCTION crmshift.sync_subjects(of_subject text, keys jsonb, written text, settling boolean) IS 'Bring the other side than the one written up to date for these subjects. Raises when it cannot.';

-- Name: targets_of(text); Type: FUNCTION

CREATE FUNCTION crmshift.targets_of(written text) RETURNS regclass[]
    LANGUAGE sql STABLE
    AS $$
select array_agg(distinct m.target::regclass) from crmshift.mapping as m
 where m.direction = case written when 'legacy' then 'to_target' else 'to_legacy' end
$$;

-- Name: FUNCTION targets_of(written text); Type: COMMENT

COMMENT ON FUNCTION crmshift.targets_of(written text) IS 'The mapped tables of the other side than the one written.';

-- Name: tg_apply_primary_lead_rule(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_apply_primary_lead_rule() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
-- The closed dispositions stand in the condition of the trigger itself, so that no write on leads has to read the rule; and
-- where none close a lead there is no trigger, for the mere condition costs each write some microseconds.
begin
    if new.closed = '{}' then
        if exists (select from pg_catalog.pg_trigger as t where t.tgrelid = 'public.leads'::regclass and t.tgname = 'crmshift_then_note_closed') then
            drop trigger crmshift_then_note_closed on public.leads;
            perform crmshift.accept_object('trigger', 'public.leads', 'crmshift_then_note_closed');
        end if;
        return null;
    end if;
    execute format(
        'create or replace trigger crmshift_then_note_closed
         after update of disposition on public.leads
         for each row when (old.is_primary and new.is_primary and new.disposition is distinct from old.disposition
                            and new.disposition = any (%L::text[]))
         execute function crmshift.tg_note_lead()', new.closed);
    perform crmshift.accept_object('trigger', 'public.leads', 'crmshift_then_note_closed');
    return null;
end
$$;

-- Name: FUNCTION tg_apply_primary_lead_rule(); Type: COMMENT

COMMENT ON FUNCTION crmshift.tg_apply_primary_lead_rule() IS 'Makes the trigger crmshift_then_note_closed for these dispositions, or none. The lock keeps writers of leads waiting for a moment.';

-- Name: tg_appointments(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_appointments() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
-- After a statement on public.appointments: collect the keys whose mapped columns changed, and have them synced.
declare
    depth integer := nullif(current_setting('crmshift.depth', true), '')::integer;
    one record;
    same_key boolean;
    later boolean := false;
    raising boolean := false;
    queued bigint;
    k1 bigint[]; k2 uuid[];
begin
    if pg_trigger_depth() = depth + 1 and current_setting('crmshift.writing', true) = 'public.appointments' then
        return null;  -- our own writer's statement; it has compared what it wrote
    end if;
    if tg_op = 'INSERT' then
        select array_agg(id), array_agg(contact_id) into k1, k2 from (select distinct id, contact_id from changed) as x;
    elsif tg_op = 'DELETE' then
        select array_agg(id), array_agg(contact_id) into k1, k2 from (select distinct id, contact_id from was) as x;
    elsif tg_op = 'UPDATE' then
        select n.id as new_1, w.id as old_1, n.contact_id as new_2, w.contact_id as old_2, (n.apptdate, n.contact_id, n.id, n.reminder_sent, n.scheduled_at, n.status) is distinct from (w.apptdate, w.contact_id, w.id, w.reminder_sent, w.scheduled_at, w.status) as differs, not exists (select from changed offset 1) as alone
          into one from changed as n, was as w;
        if one.alone and one.differs then
            same_key := (one.new_1, one.new_2) is not distinct from (one.old_1, one.old_2);
            k1 := case when same_key then array[one.new_1] else array[one.new_1, one.old_1] end;
            k2 := case when same_key then array[one.new_2] else array[one.new_2, one.old_2] end;
        elsif not one.alone then
            select array_agg(id), array_agg(contact_id) into k1, k2 from (
                select distinct id, contact_id from (
                    (select apptdate, contact_id, id, reminder_sent, scheduled_at, status from changed except all select apptdate, contact_id, id, reminder_sent, scheduled_at, status from was)
                    union all
                    (select apptdate, contact_id, id, reminder_sent, scheduled_at, status from was except all select apptdate, contact_id, id, reminder_sent, scheduled_at, status from changed)) as y) as x;
        end if;
    end if;
    if k1 is null and tg_op <> 'TRUNCATE' then
        return null;
    end if;
    if depth is not null and tg_op <> 'TRUNCATE' then  -- inside a sync; settled before it ends
        if pg_trigger_depth() = depth + 1 then  -- a cascade of the writer's own statement: these rows are made out anew, from the other side
            insert into crmshift.sync_queue (subject, key, side, reason)
            select q.subject, q.key, 'target', 'nested' from generate_subscripts(k1, 1) as i, lateral (values ('appointments', jsonb_build_object('id', (k1)[i]))) as q (subject, key);
        else  -- a trigger of the application wrote here, and is followed to the other side
            execute (select c.nesting from crmshift.capture as c where c.source = 'public.appointments' and c.operation = tg_op);
        end if;
        perform set_config('crmshift.noted', 'yes', true);
        return null;
    end if;
    if current_setting('transaction_isolation') <> 'read committed'
       or exists (select from crmshift.sync_control as c
                   where c.entity in ('appointment') and (c.paused or c.mode = 'queued' or c.on_error = 'raise')) then
        select coalesce(bool_or(c.paused or c.mode = 'queued') filter (where c.entity in ('appointment')), false)
               -- A transaction that goes on looking at an old snapshot cannot see whether the sync was paused since.
               or current_setting('transaction_isolation') <> 'read committed'
                  and coalesce(max(c.epoch), 0) < (select e.last_value from crmshift.sync_epoch as e),
               coalesce(bool_or(c.on_error = 'raise') filter (where c.entity in ('appointment')), false)
          into later, raising from crmshift.sync_control as c;
    end if;
    if tg_op <> 'TRUNCATE' and current_setting('crmshift.follows', true) = 'target' then  -- earlier in this transaction, perhaps in this very statement
        execute (select c.overtaken from crmshift.capture as c where c.source = 'public.appointments' and c.operation = tg_op);
    end if;
    if later and tg_op = 'TRUNCATE' then
        insert into crmshift.sync_queue (subject, key, side, op, reason) select q.subject, '{}', 'legacy', 'truncate', 'paused' from (values ('appointments')) as q (subject);
    elsif later then
        execute (select c.queueing from crmshift.capture as c where c.source = 'public.appointments' and c.operation = tg_op);
    elsif tg_op = 'TRUNCATE' then
        perform crmshift.after_truncate('legacy', raising);
    else
        if cardinality(k1) > 100 then  -- many keys need a plan for many keys: the generic one could take the square of their number
            perform set_config('plan_cache_mode', 'force_custom_plan', true);
        end if;
        perform set_config('crmshift.follows', 'legacy', true);
        queued := crmshift.sync_from_appointments(k1, k2, tg_op, raising);
        if current_setting('crmshift.deadline', true) <> '' then
            perform set_config('crmshift.deadline', '', true);
        end if;
        if queued > 0 then
            execute (select c.noting from crmshift.capture as c where c.source = 'public.appointments' and c.operation = tg_op);
            perform crmshift.settle_held();
        end if;
    end if;
    return null;
end
$$;

-- Name: tg_ask_primary_lead(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_ask_primary_lead() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
begin
    if exists (select from public.leads as p where p.customer_id = new.customer_id and p.is_primary and p.id <> old.id) then
        perform set_config('crmshift.asked', concat_ws(',', nullif(current_setting('crmshift.asked', true), ''), new.id), true);
        new.is_primary := false;
    end if;
    return new;
end
$$;

-- Name: FUNCTION tg_ask_primary_lead(); Type: COMMENT

COMMENT ON FUNCTION crmshift.tg_ask_primary_lead() IS 'Where there is a primary lead, lets another one take its place after the statement.';

-- Name: tg_backfill_control(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_backfill_control() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    new.changed_by := session_user;
    new.changed_at := pg_catalog.clock_timestamp();
    new.paused_at := case when new.paused then coalesce(old.paused_at, new.changed_at) end;
    return new;
end
$$;

-- Name: FUNCTION tg_backfill_control(); Type: COMMENT

COMMENT ON FUNCTION crmshift.tg_backfill_control() IS 'Notes who changed the controls, and when, and since when the backfill is paused.';

-- Name: tg_contact_custom_fields(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_contact_custom_fields() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
-- After a statement on public.contact_custom_fields: collect the keys whose mapped columns changed, and have them synced.
declare
    depth integer := nullif(current_setting('crmshift.depth', true), '')::integer;
    one record;
    same_key boolean;
    later boolean := false;
    raising boolean := false;
    queued bigint;
    k1 uuid[]; k2 uuid[];
begin
    if pg_trigger_depth() = depth + 1 and current_setting('crmshift.writing', true) = 'public.contact_custom_fields' then
        return null;  -- our own writer's statement; it has compared what it wrote
    end if;
    if tg_op = 'INSERT' then
        select array_agg(contact_id), array_agg(field_id) into k1, k2 from (select distinct contact_id, field_id from changed) as x;
    elsif tg_op = 'DELETE' then
        select array_agg(contact_id), array_agg(field_id) into k1, k2 from (select distinct contact_id, field_id from was) as x;
    elsif tg_op = 'UPDATE' then
        select n.contact_id as new_1, w.contact_id as old_1, n.field_id as new_2, w.field_id as old_2, (n.contact_id, n.created_at, n.field_id, n.value) is distinct from (w.contact_id, w.created_at, w.field_id, w.value) as differs, not exists (select from changed offset 1) as alone
          into one from changed as n, was as w;
        if one.alone and one.differs then
            same_key := (one.new_1, one.new_2) is not distinct from (one.old_1, one.old_2);
            k1 := case when same_key then array[one.new_1] else array[one.new_1, one.old_1] end;
            k2 := case when same_key then array[one.new_2] else array[one.new_2, one.old_2] end;
        elsif not one.alone then
            select array_agg(contact_id), array_agg(field_id) into k1, k2 from (
                select distinct contact_id, field_id from (
                    (select contact_id, created_at, field_id, value from changed except all select contact_id, created_at, field_id, value from was)
                    union all
                    (select contact_id, created_at, field_id, value from was except all select contact_id, created_at, field_id, value from changed)) as y) as x;
        end if;
    end if;
    if k1 is null and tg_op <> 'TRUNCATE' then
        return null;
    end if;
    if depth is not null and tg_op <> 'TRUNCATE' then  -- inside a sync; settled before it ends
        if pg_trigger_depth() = depth + 1 then  -- a cascade of the writer's own statement: these rows are made out anew, from the other side
            insert into crmshift.sync_queue (subject, key, side, reason)
            select q.subject, q.key, 'target', 'nested' from generate_subscripts(k1, 1) as i, lateral (values ('contact_custom_fields', jsonb_build_object('contact_id', (k1)[i], 'field_id', (k2)[i]))) as q (subject, key);
        else  -- a trigger of the application wrote here, and is followed to the other side
            execute (select c.nesting from crmshift.capture as c where c.source = 'public.contact_custom_fields' and c.operation = tg_op);
        end if;
        perform set_config('crmshift.noted', 'yes', true);
        return null;
    end if;
    if current_setting('transaction_isolation') <> 'read committed'
       or exists (select from crmshift.sync_control as c
                   where c.entity in ('custom field') and (c.paused or c.mode = 'queued' or c.on_error = 'raise')) then
        select coalesce(bool_or(c.paused or c.mode = 'queued') filter (where c.entity in ('custom field')), false)
               -- A transaction that goes on looking at an old snapshot cannot see whether the sync was paused since.
               or current_setting('transaction_isolation') <> 'read committed'
                  and coalesce(max(c.epoch), 0) < (select e.last_value from crmshift.sync_epoch as e),
               coalesce(bool_or(c.on_error = 'raise') filter (where c.entity in ('custom field')), false)
          into later, raising from crmshift.sync_control as c;
    end if;
    if tg_op <> 'TRUNCATE' and current_setting('crmshift.follows', true) = 'target' then  -- earlier in this transaction, perhaps in this very statement
        execute (select c.overtaken from crmshift.capture as c where c.source = 'public.contact_custom_fields' and c.operation = tg_op);
    end if;
    if later and tg_op = 'TRUNCATE' then
        insert into crmshift.sync_queue (subject, key, side, op, reason) select q.subject, '{}', 'legacy', 'truncate', 'paused' from (values ('contact_custom_fields')) as q (subject);
    elsif later then
        execute (select c.queueing from crmshift.capture as c where c.source = 'public.contact_custom_fields' and c.operation = tg_op);
    elsif tg_op = 'TRUNCATE' then
        perform crmshift.after_truncate('legacy', raising);
    else
        if cardinality(k1) > 100 then  -- many keys need a plan for many keys: the generic one could take the square of their number
            perform set_config('plan_cache_mode', 'force_custom_plan', true);
        end if;
        perform set_config('crmshift.follows', 'legacy', true);
        queued := crmshift.sync_from_contact_custom_fields(k1, k2, tg_op, raising);
        if current_setting('crmshift.deadline', true) <> '' then
            perform set_config('crmshift.deadline', '', true);
        end if;
        if queued > 0 then
            execute (select c.noting from crmshift.capture as c where c.source = 'public.contact_custom_fields' and c.operation = tg_op);
            perform crmshift.settle_held();
        end if;
    end if;
    return null;
end
$$;

-- Name: tg_contacts(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_contacts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
-- After a statement on public.contacts: collect the keys whose mapped columns changed, and have them synced.
declare
    depth integer := nullif(current_setting('crmshift.depth', true), '')::integer;
    one record;
    same_key boolean;
    later boolean := false;
    raising boolean := false;
    queued bigint;
    k1 uuid[];
begin
    if pg_trigger_depth() = depth + 1 and current_setting('crmshift.writing', true) = 'public.contacts' then
        return null;  -- our own writer's statement; it has compared what it wrote
    end if;
    if tg_op = 'INSERT' then
        select array_agg(id) into k1 from (select distinct id from changed) as x;
    elsif tg_op = 'DELETE' then
        select array_agg(id) into k1 from (select distinct id from was) as x;
    elsif tg_op = 'UPDATE' then
        select n.id as new_1, w.id as old_1, (n.appointment_status, n.city, n.created_at, n.email, n.firstname, n.id, n.lastname, n.lead_source, n.lead_status, n.phone_number, n.st_address, n.state, n.updated_at, n.workspace_id, n.zip) is distinct from (w.appointment_status, w.city, w.created_at, w.email, w.firstname, w.id, w.lastname, w.lead_source, w.lead_status, w.phone_number, w.st_address, w.state, w.updated_at, w.workspace_id, w.zip) as differs, not exists (select from changed offset 1) as alone
          into one from changed as n, was as w;
        if one.alone and one.differs then
            same_key := (one.new_1) is not distinct from (one.old_1);
            k1 := case when same_key then array[one.new_1] else array[one.new_1, one.old_1] end;
        elsif not one.alone then
            select array_agg(id) into k1 from (
                select distinct id from (
                    (select appointment_status, city, created_at, email, firstname, id, lastname, lead_source, lead_status, phone_number, st_address, state, updated_at, workspace_id, zip from changed except all select appointment_status, city, created_at, email, firstname, id, lastname, lead_source, lead_status, phone_number, st_address, state, updated_at, workspace_id, zip from was)
                    union all
                    (select appointment_status, city, created_at, email, firstname, id, lastname, lead_source, lead_status, phone_number, st_address, state, updated_at, workspace_id, zip from was except all select appointment_status, city, created_at, email, firstname, id, lastname, lead_source, lead_status, phone_number, st_address, state, updated_at, workspace_id, zip from changed)) as y) as x;
        end if;
    end if;
    if k1 is null and tg_op <> 'TRUNCATE' then
        return null;
    end if;
    if depth is not null and tg_op <> 'TRUNCATE' then  -- inside a sync; settled before it ends
        if pg_trigger_depth() = depth + 1 then  -- a cascade of the writer's own statement: these rows are made out anew, from the other side
            insert into crmshift.sync_queue (subject, key, side, reason)
            select q.subject, q.key, 'target', 'nested' from generate_subscripts(k1, 1) as i, lateral (values ('contacts', jsonb_build_object('id', (k1)[i]))) as q (subject, key);
        else  -- a trigger of the application wrote here, and is followed to the other side
            execute (select c.nesting from crmshift.capture as c where c.source = 'public.contacts' and c.operation = tg_op);
        end if;
        perform set_config('crmshift.noted', 'yes', true);
        return null;
    end if;
    if current_setting('transaction_isolation') <> 'read committed'
       or exists (select from crmshift.sync_control as c
                   where c.entity in ('customer', 'lead') and (c.paused or c.mode = 'queued' or c.on_error = 'raise')) then
        select coalesce(bool_or(c.paused or c.mode = 'queued') filter (where c.entity in ('customer', 'lead')), false)
               -- A transaction that goes on looking at an old snapshot cannot see whether the sync was paused since.
               or current_setting('transaction_isolation') <> 'read committed'
                  and coalesce(max(c.epoch), 0) < (select e.last_value from crmshift.sync_epoch as e),
               coalesce(bool_or(c.on_error = 'raise') filter (where c.entity in ('customer', 'lead')), false)
          into later, raising from crmshift.sync_control as c;
    end if;
    if tg_op <> 'TRUNCATE' and current_setting('crmshift.follows', true) = 'target' then  -- earlier in this transaction, perhaps in this very statement
        execute (select c.overtaken from crmshift.capture as c where c.source = 'public.contacts' and c.operation = tg_op);
    end if;
    if later and tg_op = 'TRUNCATE' then
        insert into crmshift.sync_queue (subject, key, side, op, reason) select q.subject, '{}', 'legacy', 'truncate', 'paused' from (values ('contacts')) as q (subject);
    elsif later then
        execute (select c.queueing from crmshift.capture as c where c.source = 'public.contacts' and c.operation = tg_op);
    elsif tg_op = 'TRUNCATE' then
        perform crmshift.after_truncate('legacy', raising);
    else
        if cardinality(k1) > 100 then  -- many keys need a plan for many keys: the generic one could take the square of their number
            perform set_config('plan_cache_mode', 'force_custom_plan', true);
        end if;
        perform set_config('crmshift.follows', 'legacy', true);
        queued := crmshift.sync_from_contacts(k1, tg_op, raising);
        if current_setting('crmshift.deadline', true) <> '' then
            perform set_config('crmshift.deadline', '', true);
        end if;
        if queued > 0 then
            execute (select c.noting from crmshift.capture as c where c.source = 'public.contacts' and c.operation = tg_op);
            perform crmshift.settle_held();
        end if;
    end if;
    return null;
end
$$;

-- Name: tg_customer_custom_fields(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_customer_custom_fields() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
-- After a statement on public.customer_custom_fields: collect the keys whose mapped columns changed, and have them synced.
declare
    depth integer := nullif(current_setting('crmshift.depth', true), '')::integer;
    one record;
    same_key boolean;
    later boolean := false;
    raising boolean := false;
    queued bigint;
    k1 uuid[]; k2 uuid[];
begin
    if pg_trigger_depth() = depth + 1 and current_setting('crmshift.writing', true) = 'public.customer_custom_fields' then
        return null;  -- our own writer's statement; it has compared what it wrote
    end if;
    if tg_op = 'INSERT' then
        select array_agg(customer_id), array_agg(field_id) into k1, k2 from (select distinct customer_id, field_id from changed) as x;
    elsif tg_op = 'DELETE' then
        select array_agg(customer_id), array_agg(field_id) into k1, k2 from (select distinct customer_id, field_id from was) as x;
    elsif tg_op = 'UPDATE' then
        select n.customer_id as new_1, w.customer_id as old_1, n.field_id as new_2, w.field_id as old_2, (n.created_at, n.customer_id, n.field_id, n.value) is distinct from (w.created_at, w.customer_id, w.field_id, w.value) as differs, not exists (select from changed offset 1) as alone
          into one from changed as n, was as w;
        if one.alone and one.differs then
            same_key := (one.new_1, one.new_2) is not distinct from (one.old_1, one.old_2);
            k1 := case when same_key then array[one.new_1] else array[one.new_1, one.old_1] end;
            k2 := case when same_key then array[one.new_2] else array[one.new_2, one.old_2] end;
        elsif not one.alone then
            select array_agg(customer_id), array_agg(field_id) into k1, k2 from (
                select distinct customer_id, field_id from (
                    (select created_at, customer_id, field_id, value from changed except all select created_at, customer_id, field_id, value from was)
                    union all
                    (select created_at, customer_id, field_id, value from was except all select created_at, customer_id, field_id, value from changed)) as y) as x;
        end if;
    end if;
    if k1 is null and tg_op <> 'TRUNCATE' then
        return null;
    end if;
    if depth is not null and tg_op <> 'TRUNCATE' then  -- inside a sync; settled before it ends
        if pg_trigger_depth() = depth + 1 then  -- a cascade of the writer's own statement: these rows are made out anew, from the other side
            insert into crmshift.sync_queue (subject, key, side, reason)
            select q.subject, q.key, 'legacy', 'nested' from generate_subscripts(k1, 1) as i, lateral (values ('contact_custom_fields', jsonb_build_object('contact_id', (k1)[i], 'field_id', (k2)[i]))) as q (subject, key);
        else  -- a trigger of the application wrote here, and is followed to the other side
            execute (select c.nesting from crmshift.capture as c where c.source = 'public.customer_custom_fields' and c.operation = tg_op);
        end if;
        perform set_config('crmshift.noted', 'yes', true);
        return null;
    end if;
    if current_setting('transaction_isolation') <> 'read committed'
       or exists (select from crmshift.sync_control as c
                   where c.entity in ('custom field') and (c.paused or c.mode = 'queued' or c.on_error = 'raise')) then
        select coalesce(bool_or(c.paused or c.mode = 'queued') filter (where c.entity in ('custom field')), false)
               -- A transaction that goes on looking at an old snapshot cannot see whether the sync was paused since.
               or current_setting('transaction_isolation') <> 'read committed'
                  and coalesce(max(c.epoch), 0) < (select e.last_value from crmshift.sync_epoch as e),
               coalesce(bool_or(c.on_error = 'raise') filter (where c.entity in ('custom field')), false)
          into later, raising from crmshift.sync_control as c;
    end if;
    if tg_op <> 'TRUNCATE' and current_setting('crmshift.follows', true) = 'legacy' then  -- earlier in this transaction, perhaps in this very statement
        execute (select c.overtaken from crmshift.capture as c where c.source = 'public.customer_custom_fields' and c.operation = tg_op);
    end if;
    if later and tg_op = 'TRUNCATE' then
        insert into crmshift.sync_queue (subject, key, side, op, reason) select q.subject, '{}', 'target', 'truncate', 'paused' from (values ('contact_custom_fields')) as q (subject);
    elsif later then
        execute (select c.queueing from crmshift.capture as c where c.source = 'public.customer_custom_fields' and c.operation = tg_op);
    elsif tg_op = 'TRUNCATE' then
        perform crmshift.after_truncate('target', raising);
    else
        if cardinality(k1) > 100 then  -- many keys need a plan for many keys: the generic one could take the square of their number
            perform set_config('plan_cache_mode', 'force_custom_plan', true);
        end if;
        perform set_config('crmshift.follows', 'target', true);
        queued := crmshift.sync_from_customer_custom_fields(k1, k2, tg_op, raising);
        if current_setting('crmshift.deadline', true) <> '' then
            perform set_config('crmshift.deadline', '', true);
        end if;
        if queued > 0 then
            execute (select c.noting from crmshift.capture as c where c.source = 'public.customer_custom_fields' and c.operation = tg_op);
            perform crmshift.settle_held();
        end if;
    end if;
    return null;
end
$$;

-- Name: tg_customers(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_customers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
-- After a statement on public.customers: collect the keys whose mapped columns changed, and have them synced.
declare
    depth integer := nullif(current_setting('crmshift.depth', true), '')::integer;
    one record;
    same_key boolean;
    later boolean := false;
    raising boolean := false;
    queued bigint;
    k1 uuid[];
begin
    if pg_trigger_depth() = depth + 1 and current_setting('crmshift.writing', true) = 'public.customers' then
        return null;  -- our own writer's statement; it has compared what it wrote
    end if;
    if tg_op = 'INSERT' then
        select array_agg(cst_id) into k1 from (select distinct cst_id from changed) as x;
    elsif tg_op = 'DELETE' then
        select array_agg(cst_id) into k1 from (select distinct cst_id from was) as x;
    elsif tg_op = 'UPDATE' then
        select n.cst_id as new_1, w.cst_id as old_1, (n.address1, n.city, n.cst_id, n.dateadded, n.email, n.firstname, n.lastchanged, n.lastname, n.phone1, n.state, n.workspace_id, n.zip) is distinct from (w.address1, w.city, w.cst_id, w.dateadded, w.email, w.firstname, w.lastchanged, w.lastname, w.phone1, w.state, w.workspace_id, w.zip) as differs, not exists (select from changed offset 1) as alone
          into one from changed as n, was as w;
        if one.alone and one.differs then
            same_key := (one.new_1) is not distinct from (one.old_1);
            k1 := case when same_key then array[one.new_1] else array[one.new_1, one.old_1] end;
        elsif not one.alone then
            select array_agg(cst_id) into k1 from (
                select distinct cst_id from (
                    (select address1, city, cst_id, dateadded, email, firstname, lastchanged, lastname, phone1, state, workspace_id, zip from changed except all select address1, city, cst_id, dateadded, email, firstname, lastchanged, lastname, phone1, state, workspace_id, zip from was)
                    union all
                    (select address1, city, cst_id, dateadded, email, firstname, lastchanged, lastname, phone1, state, workspace_id, zip from was except all select address1, city, cst_id, dateadded, email, firstname, lastchanged, lastname, phone1, state, workspace_id, zip from changed)) as y) as x;
        end if;
    end if;
    if k1 is null and tg_op <> 'TRUNCATE' then
        return null;
    end if;
    if depth is not null and tg_op <> 'TRUNCATE' then  -- inside a sync; settled before it ends
        if pg_trigger_depth() = depth + 1 then  -- a cascade of the writer's own statement: these rows are made out anew, from the other side
            insert into crmshift.sync_queue (subject, key, side, reason)
            select q.subject, q.key, 'legacy', 'nested' from generate_subscripts(k1, 1) as i, lateral (values ('contacts', jsonb_build_object('id', (k1)[i]))) as q (subject, key);
        else  -- a trigger of the application wrote here, and is followed to the other side
            execute (select c.nesting from crmshift.capture as c where c.source = 'public.customers' and c.operation = tg_op);
        end if;
        perform set_config('crmshift.noted', 'yes', true);
        return null;
    end if;
    if current_setting('transaction_isolation') <> 'read committed'
       or exists (select from crmshift.sync_control as c
                   where c.entity in ('customer') and (c.paused or c.mode = 'queued' or c.on_error = 'raise')) then
        select coalesce(bool_or(c.paused or c.mode = 'queued') filter (where c.entity in ('customer')), false)
               -- A transaction that goes on looking at an old snapshot cannot see whether the sync was paused since.
               or current_setting('transaction_isolation') <> 'read committed'
                  and coalesce(max(c.epoch), 0) < (select e.last_value from crmshift.sync_epoch as e),
               coalesce(bool_or(c.on_error = 'raise') filter (where c.entity in ('customer')), false)
          into later, raising from crmshift.sync_control as c;
    end if;
    if tg_op <> 'TRUNCATE' and current_setting('crmshift.follows', true) = 'legacy' then  -- earlier in this transaction, perhaps in this very statement
        execute (select c.overtaken from crmshift.capture as c where c.source = 'public.customers' and c.operation = tg_op);
    end if;
    if later and tg_op = 'TRUNCATE' then
        insert into crmshift.sync_queue (subject, key, side, op, reason) select q.subject, '{}', 'target', 'truncate', 'paused' from (values ('contacts')) as q (subject);
    elsif later then
        execute (select c.queueing from crmshift.capture as c where c.source = 'public.customers' and c.operation = tg_op);
    elsif tg_op = 'TRUNCATE' then
        perform crmshift.after_truncate('target', raising);
    else
        if cardinality(k1) > 100 then  -- many keys need a plan for many keys: the generic one could take the square of their number
            perform set_config('plan_cache_mode', 'force_custom_plan', true);
        end if;
        perform set_config('crmshift.follows', 'target', true);
        queued := crmshift.sync_from_customers(k1, tg_op, raising);
        if current_setting('crmshift.deadline', true) <> '' then
            perform set_config('crmshift.deadline', '', true);
        end if;
        if queued > 0 then
            execute (select c.noting from crmshift.capture as c where c.source = 'public.customers' and c.operation = tg_op);
            perform crmshift.settle_held();
        end if;
    end if;
    return null;
end
$$;

-- Name: tg_elect_primary_lead(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_elect_primary_lead() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
-- At COMMIT (or at SET CONSTRAINTS): everything this transaction noted, at once.
declare
    customers uuid[];
    demoted uuid[];
    closed uuid[];
begin
    if not exists (select from crmshift.primary_lead_wanted as w where w.id = new.id) then
        return null;  -- done with another one
    end if;
    with taken as (
        delete from crmshift.primary_lead_wanted as w where w.txid = pg_current_xact_id() returning w.*
    )
    select array_agg(distinct c), coalesce(array_agg(distinct t.demoted) filter (where t.demoted is not null), '{}'),
           coalesce(array_agg(distinct c) filter (where t.closed), '{}')
      into customers, demoted, closed
      from taken as t cross join unnest(t.customer_ids) as c;
    perform crmshift.elect_or_queue(customers, demoted, closed);
    perform crmshift.settle_held(array['23502', 'SH010']);  -- what legacy wrote meanwhile, and found no lead for
    perform crmshift.follow_appointments(customers);
    return null;
end
$$;

-- Name: FUNCTION tg_elect_primary_lead(); Type: COMMENT

COMMENT ON FUNCTION crmshift.tg_elect_primary_lead() IS 'Elects where this transaction left a customer without a primary lead.';

-- Name: tg_lead_appointments(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_lead_appointments() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
-- After a statement on public.lead_appointments: collect the keys whose mapped columns changed, and have them synced.
declare
    depth integer := nullif(current_setting('crmshift.depth', true), '')::integer;
    one record;
    same_key boolean;
    later boolean := false;
    raising boolean := false;
    queued bigint;
    k1 bigint[];
begin
    if pg_trigger_depth() = depth + 1 and current_setting('crmshift.writing', true) = 'public.lead_appointments' then
        return null;  -- our own writer's statement; it has compared what it wrote
    end if;
    if tg_op = 'INSERT' then
        select array_agg(id) into k1 from (select distinct id from changed) as x;
    elsif tg_op = 'DELETE' then
        select array_agg(id) into k1 from (select distinct id from was) as x;
    elsif tg_op = 'UPDATE' then
        select n.id as new_1, w.id as old_1, (n.apptdate, n.id, n.lead_id, n.reminder_sent, n.scheduled_at, n.status) is distinct from (w.apptdate, w.id, w.lead_id, w.reminder_sent, w.scheduled_at, w.status) as differs, not exists (select from changed offset 1) as alone
          into one from changed as n, was as w;
        if one.alone and one.differs then
            same_key := (one.new_1) is not distinct from (one.old_1);
            k1 := case when same_key then array[one.new_1] else array[one.new_1, one.old_1] end;
        elsif not one.alone then
            select array_agg(id) into k1 from (
                select distinct id from (
                    (select apptdate, id, lead_id, reminder_sent, scheduled_at, status from changed except all select apptdate, id, lead_id, reminder_sent, scheduled_at, status from was)
                    union all
                    (select apptdate, id, lead_id, reminder_sent, scheduled_at, status from was except all select apptdate, id, lead_id, reminder_sent, scheduled_at, status from changed)) as y) as x;
        end if;
    end if;
    if k1 is null and tg_op <> 'TRUNCATE' then
        return null;
    end if;
    if depth is not null and tg_op <> 'TRUNCATE' then  -- inside a sync; settled before it ends
        if pg_trigger_depth() = depth + 1 then  -- a cascade of the writer's own statement: these rows are made out anew, from the other side
            insert into crmshift.sync_queue (subject, key, side, reason)
            select q.subject, q.key, 'legacy', 'nested' from generate_subscripts(k1, 1) as i, lateral (values ('appointments', jsonb_build_object('id', (k1)[i]))) as q (subject, key);
        else  -- a trigger of the application wrote here, and is followed to the other side
            execute (select c.nesting from crmshift.capture as c where c.source = 'public.lead_appointments' and c.operation = tg_op);
        end if;
        perform set_config('crmshift.noted', 'yes', true);
        return null;
    end if;
    if current_setting('transaction_isolation') <> 'read committed'
       or exists (select from crmshift.sync_control as c
                   where c.entity in ('appointment') and (c.paused or c.mode = 'queued' or c.on_error = 'raise')) then
        select coalesce(bool_or(c.paused or c.mode = 'queued') filter (where c.entity in ('appointment')), false)
               -- A transaction that goes on looking at an old snapshot cannot see whether the sync was paused since.
               or current_setting('transaction_isolation') <> 'read committed'
                  and coalesce(max(c.epoch), 0) < (select e.last_value from crmshift.sync_epoch as e),
               coalesce(bool_or(c.on_error = 'raise') filter (where c.entity in ('appointment')), false)
          into later, raising from crmshift.sync_control as c;
    end if;
    if tg_op <> 'TRUNCATE' and current_setting('crmshift.follows', true) = 'legacy' then  -- earlier in this transaction, perhaps in this very statement
        execute (select c.overtaken from crmshift.capture as c where c.source = 'public.lead_appointments' and c.operation = tg_op);
    end if;
    if later and tg_op = 'TRUNCATE' then
        insert into crmshift.sync_queue (subject, key, side, op, reason) select q.subject, '{}', 'target', 'truncate', 'paused' from (values ('appointments')) as q (subject);
    elsif later then
        execute (select c.queueing from crmshift.capture as c where c.source = 'public.lead_appointments' and c.operation = tg_op);
    elsif tg_op = 'TRUNCATE' then
        perform crmshift.after_truncate('target', raising);
    else
        if cardinality(k1) > 100 then  -- many keys need a plan for many keys: the generic one could take the square of their number
            perform set_config('plan_cache_mode', 'force_custom_plan', true);
        end if;
        perform set_config('crmshift.follows', 'target', true);
        queued := crmshift.sync_from_lead_appointments(k1, tg_op, raising);
        if current_setting('crmshift.deadline', true) <> '' then
            perform set_config('crmshift.deadline', '', true);
        end if;
        if queued > 0 then
            execute (select c.noting from crmshift.capture as c where c.source = 'public.lead_appointments' and c.operation = tg_op);
            perform crmshift.settle_held();
        end if;
    end if;
    return null;
end
$$;

-- Name: tg_leads(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_leads() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
-- After a statement on public.leads: collect the keys whose mapped columns changed, and have them synced.
declare
    depth integer := nullif(current_setting('crmshift.depth', true), '')::integer;
    one record;
    same_key boolean;
    later boolean := false;
    raising boolean := false;
    queued bigint;
    k1 uuid[];
begin
    if pg_trigger_depth() = depth + 1 and current_setting('crmshift.writing', true) = 'public.leads' then
        return null;  -- our own writer's statement; it has compared what it wrote
    end if;
    if tg_op = 'INSERT' then
        select array_agg(customer_id) into k1 from (select distinct customer_id from changed) as x;
    elsif tg_op = 'DELETE' then
        select array_agg(customer_id) into k1 from (select distinct customer_id from was) as x;
    elsif tg_op = 'UPDATE' then
        select n.customer_id as new_1, w.customer_id as old_1, (n.appointment_status, n.customer_id, n.disposition, n.id, n.is_primary, n.lastchangedon, n.source) is distinct from (w.appointment_status, w.customer_id, w.disposition, w.id, w.is_primary, w.lastchangedon, w.source) as differs, not exists (select from changed offset 1) as alone
          into one from changed as n, was as w;
        if one.alone and one.differs then
            same_key := (one.new_1) is not distinct from (one.old_1);
            k1 := case when same_key then array[one.new_1] else array[one.new_1, one.old_1] end;
        elsif not one.alone then
            select array_agg(customer_id) into k1 from (
                select distinct customer_id from (
                    (select appointment_status, customer_id, disposition, id, is_primary, lastchangedon, source from changed except all select appointment_status, customer_id, disposition, id, is_primary, lastchangedon, source from was)
                    union all
                    (select appointment_status, customer_id, disposition, id, is_primary, lastchangedon, source from was except all select appointment_status, customer_id, disposition, id, is_primary, lastchangedon, source from changed)) as y) as x;
        end if;
    end if;
    if k1 is null and tg_op <> 'TRUNCATE' then
        return null;
    end if;
    if depth is not null and tg_op <> 'TRUNCATE' then  -- inside a sync; settled before it ends
        if pg_trigger_depth() = depth + 1 then  -- a cascade of the writer's own statement: these rows are made out anew, from the other side
            insert into crmshift.sync_queue (subject, key, side, reason)
            select q.subject, q.key, 'legacy', 'nested' from generate_subscripts(k1, 1) as i, lateral (values ('contacts', jsonb_build_object('id', (k1)[i]))) as q (subject, key);
        else  -- a trigger of the application wrote here, and is followed to the other side
            execute (select c.nesting from crmshift.capture as c where c.source = 'public.leads' and c.operation = tg_op);
        end if;
        insert into crmshift.sync_queue (subject, key, side, reason) select r.subject, r.key, 'target', 'nested' from crmshift.appointments_of_leads(k1) as r;
        perform set_config('crmshift.noted', 'yes', true);
        return null;
    end if;
    if current_setting('transaction_isolation') <> 'read committed'
       or exists (select from crmshift.sync_control as c
                   where c.entity in ('customer', 'lead') and (c.paused or c.mode = 'queued' or c.on_error = 'raise')) then
        select coalesce(bool_or(c.paused or c.mode = 'queued') filter (where c.entity in ('customer', 'lead')), false)
               -- A transaction that goes on looking at an old snapshot cannot see whether the sync was paused since.
               or current_setting('transaction_isolation') <> 'read committed'
                  and coalesce(max(c.epoch), 0) < (select e.last_value from crmshift.sync_epoch as e),
               coalesce(bool_or(c.on_error = 'raise') filter (where c.entity in ('customer', 'lead')), false)
          into later, raising from crmshift.sync_control as c;
    end if;
    if tg_op <> 'TRUNCATE' and current_setting('crmshift.follows', true) = 'legacy' then  -- earlier in this transaction, perhaps in this very statement
        execute (select c.overtaken from crmshift.capture as c where c.source = 'public.leads' and c.operation = tg_op);
    end if;
    if later and tg_op = 'TRUNCATE' then
        insert into crmshift.sync_queue (subject, key, side, op, reason) select q.subject, '{}', 'target', 'truncate', 'paused' from (values ('contacts')) as q (subject);
    elsif later then
        execute (select c.queueing from crmshift.capture as c where c.source = 'public.leads' and c.operation = tg_op);
        begin
            insert into crmshift.sync_queue (subject, key, side, reason) select r.subject, r.key, 'target', 'paused' from crmshift.appointments_of_leads(k1) as r;
        exception when others then
            perform crmshift.queue_whole('target', sqlstate);
        end;
    elsif tg_op = 'TRUNCATE' then
        perform crmshift.after_truncate('target', raising);
    else
        if cardinality(k1) > 100 then  -- many keys need a plan for many keys: the generic one could take the square of their number
            perform set_config('plan_cache_mode', 'force_custom_plan', true);
        end if;
        perform set_config('crmshift.follows', 'target', true);
        queued := crmshift.sync_from_leads(k1, tg_op, raising);
        if current_setting('crmshift.deadline', true) <> '' then
            perform set_config('crmshift.deadline', '', true);
        end if;
        if queued > 0 then
            execute (select c.noting from crmshift.capture as c where c.source = 'public.leads' and c.operation = tg_op);
            perform crmshift.settle_held();
        end if;
    end if;
    return null;
end
$$;

-- Name: tg_make_primary_lead(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_make_primary_lead() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
    -- Of several leads of one customer the last one stays: so it would be, were they promoted one by one.
    asked uuid[] := array(select distinct on (l.customer_id) l.id
                            from unnest(string_to_array(current_setting('crmshift.asked'), ',')::uuid[]) with ordinality as a (id, i)
                            join public.leads as l on l.id = a.id order by l.customer_id, a.i desc);
begin
    perform set_config('crmshift.asked', '', true);
    for attempt in 1 .. 3 loop
        begin
            update public.leads as l set is_primary = false
              from public.leads as a
             where a.id = any (asked) and l.customer_id = a.customer_id and l.is_primary and l.id <> all (asked);
            update public.leads as l set is_primary = true where l.id = any (asked) and not l.is_primary;
            return null;
        exception when unique_violation then
            if attempt = 3 then
                raise;
            end if;
            -- Another transaction has just promoted one: that one makes way in its turn.
        end;
    end loop;
end
$$;

-- Name: FUNCTION tg_make_primary_lead(); Type: COMMENT

COMMENT ON FUNCTION crmshift.tg_make_primary_lead() IS 'Demotes the present primary lead and promotes the one that was asked for.';

-- Name: tg_note_lead(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_note_lead() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
    is_closed boolean := old.is_primary and new.is_primary and new.customer_id = old.customer_id;
begin
    if is_closed and crmshift.is_syncing() then
        return null;  -- closed by legacy, which must see what it wrote
    end if;
    insert into crmshift.primary_lead_wanted (customer_ids, demoted, closed)
    values (array[old.customer_id, new.customer_id], case when old.is_primary and not new.is_primary then old.id end, is_closed);
    return null;
end
$$;

-- Name: FUNCTION tg_note_lead(); Type: COMMENT

COMMENT ON FUNCTION crmshift.tg_note_lead() IS 'Notes the customer of a lead that was demoted, closed, or passed to another one.';

-- Name: tg_note_leads(); Type: FUNCTION

CREATE FUNCTION crmshift.tg_note_leads() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
    customers uuid[];
begin
    if tg_op = 'INSERT' then
        select array_agg(distinct n.customer_id) into customers from changed as n
         where not n.is_primary and not exists (select from public.leads as p where p.customer_id = n.customer_id and p.is_primary);
    else
        select array_agg(distinct w.customer_id) into customers from was as w
         where w.is_primary and exists (select from public.leads as l where l.customer_id = w.customer_id);
    end if;
    if customers is not null then
        insert into crmshift.primary_lead_wanted (customer_ids) values (customers);
    end if;
    return null;
end
$$;

-- Name: FUNCTION tg_note_leads(); Type: COMMENT

COMMENT ON FUNCTION crmshift.tg_note_leads() IS 'Notes customers that a statement may have left without a primary lead.';

-- Name: trigger_statements(jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.trigger_statements(source jsonb) RETURNS TABLE(ordinal integer, object text, statement text)
    LANGUAGE sql STABLE
    AS $_$
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
$_$;

-- Name: FUNCTION trigger_statements(source jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.trigger_statements(source jsonb) IS 'How writes on a table reach the writers, derived from its description: sync_from_<table>, tg_<table> and the four triggers, on the table and on the partitions that the description lists.';

-- Name: try_deferred(regclass[]); Type: FUNCTION

CREATE FUNCTION crmshift.try_deferred(tables regclass[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
-- A deferred constraint of the other side would fail the application's COMMIT, beyond the reach of any handler. So it is
-- tried here, in a subtransaction that is always taken back: the application finds its constraints as it left them.
declare
    names text;
begin
    select string_agg(distinct format('%I.%I', n.nspname, c.conname), ', ') into names
      from pg_catalog.pg_trigger as t
      join pg_catalog.pg_constraint as c on c.oid = t.tgconstraint
      join pg_catalog.pg_namespace as n on n.oid = c.connamespace
     where t.tgrelid = any (tables) and t.tgdeferrable and t.tgname not like 'crmshift\_%';
    if names is not null then
        begin
            execute 'set constraints ' || names || ' immediate';
            raise exception using errcode = 'SH019';
        exception when sqlstate 'SH019' then
            null;
        end;
    end if;
end
$$;

-- Name: FUNCTION try_deferred(tables regclass[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.try_deferred(tables regclass[]) IS 'Raises what the deferred constraints of these tables would raise at COMMIT.';

-- Name: undo_repair_batch(bigint); Type: FUNCTION

CREATE FUNCTION crmshift.undo_repair_batch(of_run bigint, OUT undone bigint, OUT left_alone bigint) RETURNS record
    LANGUAGE plpgsql
    AS $$
-- Take back the latest batch of a repair that is not yet. Rows that somebody has changed since are left. Returns nulls when all is done.
declare
    batch xid8;
    t record;
    l crmshift.repair_log;
    state text;
    before text := coalesce(current_setting('crmshift.depth', true), '');
begin
    if not exists (select from crmshift.repair_run as r where r.id = of_run) then
        raise exception 'There is no repair %.', of_run using errcode = 'SH001', hint = 'crmshift repair list shows their numbers.';
    end if;
    select g.txid into batch from crmshift.repair_log as g where g.run = of_run and g.outcome is null order by g.id desc limit 1;
    if not found then
        delete from crmshift.repair_key as k where k.run = of_run;
        update crmshift.repair_run as r set undone_at = coalesce(r.undone_at, clock_timestamp()) where r.id = of_run;
        return;
    end if;
    -- Rows of legacy are locked first, as writers do; then what is looked at stays as it is.
    for t in select g.table_name, jsonb_agg(g.key) as keys, array(select d.column_name from crmshift.identity_of(g.table_name) as d) as columns
               from crmshift.repair_log as g where g.run = of_run and g.txid = batch and g.outcome is null group by g.table_name
              order by g.table_name = any (array(select m.target from crmshift.mapping as m where m.direction = 'to_target')), 1 loop
        with now as (
            select r.key, r.row_data from crmshift.rows_of(t.table_name, t.columns, t.keys, t.columns, true) as r
        )
        update crmshift.repair_log as g
           set outcome = case when n.row_data is not distinct from g.before then 'undone' else 'changed since' end
          from crmshift.repair_log as h left join now as n on n.key = h.key
         where g.id = h.id and h.run = of_run and h.txid = batch and h.table_name = t.table_name and h.outcome is null
           and n.row_data is distinct from h.after;
    end loop;
    -- First what was inserted goes, children first; then the rest is written, parents first.
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    begin
        for l in select * from crmshift.repair_log as g where g.run = of_run and g.txid = batch and g.outcome is null
                  order by case g.kind when 'missing' then 1 when 'differs' then 2 else 3 end, case g.kind when 'missing' then -g.id else g.id end loop
            perform crmshift.undo_row(l);
        end loop;
        update crmshift.repair_log as g set outcome = 'undone' where g.run = of_run and g.txid = batch and g.outcome is null;
    exception
        when lock_not_available or deadlock_detected or serialization_failure then
            raise;
        when others then  -- one of them is bad: one by one
            for l in select * from crmshift.repair_log as g where g.run = of_run and g.txid = batch and g.outcome is null
                      order by case g.kind when 'missing' then 1 when 'differs' then 2 else 3 end, case g.kind when 'missing' then -g.id else g.id end loop
                state := null;
                begin
                    perform crmshift.undo_row(l);
                exception
                    when lock_not_available or deadlock_detected or serialization_failure then
                        raise;
                    when others then
                        state := sqlstate;
                end;
                update crmshift.repair_log as g set outcome = case when state is null then 'undone' else 'refused' end, sqlstate = state where g.id = l.id;
            end loop;
    end;
    -- What a cascade noted of these very rows is not followed either; what a trigger of the application wrote beside them is.
    delete from crmshift.sync_queue as q
     using crmshift.repair_log as g
      join crmshift.source_subject as s on s.source = g.table_name and s.mode = 'sync'
     where g.run = of_run and g.txid = batch and q.txid = pg_current_xact_id() and q.reason = 'nested' and q.subject = s.subject
       and q.key = (select jsonb_object_agg(k, coalesce(g.before, g.after) -> c) from unnest(s.key, s.columns) as u (k, c));
    if current_setting('crmshift.noted', true) = 'yes' then
        perform crmshift.settle_nested();
    end if;
    perform set_config('crmshift.depth', before, true);
    select count(*) filter (where g.outcome = 'undone'), count(*) filter (where g.outcome <> 'undone') into undone, left_alone
      from crmshift.repair_log as g where g.run = of_run and g.txid = batch;
end
$$;

-- Name: FUNCTION undo_repair_batch(of_run bigint, OUT undone bigint, OUT left_alone bigint); Type: COMMENT

COMMENT ON FUNCTION crmshift.undo_repair_batch(of_run bigint, OUT undone bigint, OUT left_alone bigint) IS 'Take back the latest batch of a repair that is not yet: select * from crmshift.undo_repair_batch(17), again until it returns nulls.';

-- Name: repair_log; Type: TABLE

CREATE TABLE crmshift.repair_log (
    id bigint NOT NULL,
    run bigint NOT NULL,
    txid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    mapping text NOT NULL,
    table_name text NOT NULL,
    key jsonb NOT NULL,
    kind text GENERATED ALWAYS AS (
CASE
    WHEN (before IS NULL) THEN 'missing'::text
    WHEN (after IS NULL) THEN 'extra'::text
    ELSE 'differs'::text
END) STORED,
    before jsonb,
    after jsonb,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    outcome text,
    sqlstate text,
    CONSTRAINT outcome_is_known CHECK ((outcome = ANY (ARRAY['undone'::text, 'changed since'::text, 'refused'::text]))),
    CONSTRAINT row_was_changed CHECK ((before IS DISTINCT FROM after))
);

-- Name: TABLE repair_log; Type: COMMENT

COMMENT ON TABLE crmshift.repair_log IS 'Every row that a repair changed, with what hung on it: as it was, and as it became. Values of customers.';

-- Name: COLUMN repair_log.txid; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_log.txid IS 'Transaction of the batch: its rows are taken back together.';

-- Name: COLUMN repair_log.mapping; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_log.mapping IS 'Mapping whose key was handed over.';

-- Name: COLUMN repair_log.table_name; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_log.table_name IS 'Table of the row: that of the mapping, of a parent or child, or of what the writers prepare.';

-- Name: COLUMN repair_log.key; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_log.key IS 'Its primary key.';

-- Name: COLUMN repair_log.kind; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_log.kind IS 'missing: the row was inserted. extra: it was deleted. differs: it was updated.';

-- Name: COLUMN repair_log.before; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_log.before IS 'The row as it was; null where there was none.';

-- Name: COLUMN repair_log.after; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_log.after IS 'The row as it became; null where it was deleted.';

-- Name: COLUMN repair_log.outcome; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_log.outcome IS 'Null until somebody takes the run back. undone: it is as it was. changed since: somebody wrote it after the repair, and it is left. refused: see sqlstate; left too.';

-- Name: COLUMN repair_log.sqlstate; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_log.sqlstate IS 'Why it could not be taken back.';

-- Name: undo_row(crmshift.repair_log); Type: FUNCTION

CREATE FUNCTION crmshift.undo_row(of_log crmshift.repair_log) RETURNS void
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET "IntervalStyle" TO 'postgres'
    AS $_$
-- Write one row as it was. The other side does not follow: it was not asked to, and had another opinion of the row before.
declare
    is_row text := (select string_agg(format('t.%I = ($2 ->> %L)::%s', d.column_name, d.column_name, d.type), ' and ') from crmshift.identity_of(of_log.table_name) as d);
    inserted text;
    updated text;
    fk record;
begin
    if of_log.kind = 'missing' then
        -- What hangs on it by now came later, and a cascade would take it away unseen.
        for fk in select * from crmshift.references_to(of_log.table_name) loop
            if exists (select from crmshift.rows_of(fk.child, fk.columns, jsonb_build_array(of_log.after), fk.names, false)) then
                raise exception 'Rows of % hang on it.', fk.child using errcode = 'foreign_key_violation';
            end if;
        end loop;
    end if;
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum),
           string_agg(quote_ident(a.attname), ', ' order by a.attnum) filter (where a.attidentity <> 'a')
      into inserted, updated
      from pg_catalog.pg_attribute as a where a.attrelid = of_log.table_name::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
    perform set_config('crmshift.writing', of_log.table_name, true);
    execute case of_log.kind
        when 'missing' then format('delete from %s as t where %s', of_log.table_name::regclass, is_row)
        when 'extra' then format('insert into %1$s (%2$s) overriding system value select %2$s from jsonb_populate_record(null::%1$s, $1)', of_log.table_name::regclass, inserted)
        else format('update %1$s as t set (%2$s) = (select %2$s from jsonb_populate_record(null::%1$s, $1)) where %3$s', of_log.table_name::regclass, updated, is_row) end
      using of_log.before, of_log.key;
end
$_$;

-- Name: FUNCTION undo_row(of_log crmshift.repair_log); Type: COMMENT

COMMENT ON FUNCTION crmshift.undo_row(of_log crmshift.repair_log) IS 'Write one row as it was before a repair, without the other side following.';

-- Name: validate_migration(uuid); Type: FUNCTION

CREATE FUNCTION crmshift.validate_migration(workspace_uuid uuid DEFAULT NULL::uuid) RETURNS TABLE(check_name text, status text, details text)
    LANGUAGE plpgsql STABLE
    AS $$
-- One statement for whoever calls it, hence one snapshot: right under live writes.
declare
    c record;
begin
    if workspace_uuid is not null and not exists (select from public.workspaces where id = workspace_uuid) then
        raise exception 'There is no workspace %.', workspace_uuid
            using errcode = 'SH002', hint = 'select id, name from workspaces lists them.';
    end if;
    for c in select l.name, l.title, case l.severity when 'warning' then 'WARN' else 'FAIL' end as otherwise, l.name = 'counts' as first
               from crmshift.check_list as l order by l.name <> 'counts', l.rank, l.name loop
        return query
        select case when c.first then 'contact_count' else c.name end || '_validation',
               case when count(*) = 0 then 'PASS' else c.otherwise end,
               case when c.first then (select format('Contacts: %s, Customers: %s',
                                              (select count(*) from public.contacts where workspace_uuid is null or workspace_id = workspace_uuid),
                                              (select count(*) from public.customers where workspace_uuid is null or workspace_id = workspace_uuid)))
                    when count(*) = 0 then c.title
                    else format('%s found, first: %s', count(*), min(concat_ws(' ', f.subject, f.key, f.detail))) end
          from crmshift.run_check(c.name, workspace_uuid) as f;
    end loop;
end
$$;

-- Name: FUNCTION validate_migration(workspace_uuid uuid); Type: COMMENT

COMMENT ON FUNCTION crmshift.validate_migration(workspace_uuid uuid) IS 'All checks, for one workspace or for all: check name, PASS, FAIL or WARN, details. Shows keys and columns, never values.';

-- Name: verdict_appointments(jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.verdict_appointments(keys jsonb) RETURNS TABLE(key jsonb, kind text, columns text[], workspace_id uuid, expected jsonb, found jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- How public.appointments and crmshift.appointments_expected stand to each other for these keys; kind is null where they agree. By index, however large the tables are.
select jsonb_build_object('id', k.id),
       case when t.id is null then 'missing' when e.id is null then 'extra' when (t.contact_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) is distinct from (e.contact_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent) then 'differs' end,
       case when t.id is not null and e.id is not null
            then array_remove(array[
                        case when t.contact_id is distinct from e.contact_id then 'contact_id' end,
                        case when t.scheduled_at is distinct from e.scheduled_at then 'scheduled_at' end,
                        case when t.apptdate is distinct from e.apptdate then 'apptdate' end,
                        case when t.status is distinct from e.status then 'status' end,
                        case when t.reminder_sent is distinct from e.reminder_sent then 'reminder_sent' end], null) end,
       null::uuid,
       case when e.id is not null then (select to_jsonb(r) from (select e.id, e.contact_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent) as r) end,
       case when t.id is not null then (select to_jsonb(r) from (select t.id, t.contact_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) as r) end
  from (select distinct (j ->> 'id')::bigint as id from jsonb_array_elements($1) as j) as k
  left join crmshift.appointments_expected as e on e.id = k.id
  left join public.appointments as t on t.id = k.id
 where e.id is not null or t.id is not null
$_$;

-- Name: verdict_contact_custom_fields(jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.verdict_contact_custom_fields(keys jsonb) RETURNS TABLE(key jsonb, kind text, columns text[], workspace_id uuid, expected jsonb, found jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- How public.contact_custom_fields and crmshift.contact_custom_fields_expected stand to each other for these keys; kind is null where they agree. By index, however large the tables are.
select jsonb_build_object('contact_id', k.contact_id, 'field_id', k.field_id),
       case when t.contact_id is null then 'missing' when e.contact_id is null then 'extra' when (t.value, t.created_at) is distinct from (e.value, e.created_at) then 'differs' end,
       case when t.contact_id is not null and e.contact_id is not null
            then array_remove(array[
                        case when t.value is distinct from e.value then 'value' end,
                        case when t.created_at is distinct from e.created_at then 'created_at' end], null) end,
       null::uuid,
       case when e.contact_id is not null then (select to_jsonb(r) from (select e.contact_id, e.field_id, e.value, e.created_at) as r) end,
       case when t.contact_id is not null then (select to_jsonb(r) from (select t.contact_id, t.field_id, t.value, t.created_at) as r) end
  from (select distinct (j ->> 'contact_id')::uuid as contact_id, (j ->> 'field_id')::uuid as field_id from jsonb_array_elements($1) as j) as k
  left join crmshift.contact_custom_fields_expected as e on e.contact_id = k.contact_id and e.field_id = k.field_id
  left join public.contact_custom_fields as t on t.contact_id = k.contact_id and t.field_id = k.field_id
 where e.contact_id is not null or t.contact_id is not null
$_$;

-- Name: verdict_contacts(jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.verdict_contacts(keys jsonb) RETURNS TABLE(key jsonb, kind text, columns text[], workspace_id uuid, expected jsonb, found jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- How public.contacts and crmshift.contacts_expected stand to each other for these keys; kind is null where they agree. By index, however large the tables are.
select jsonb_build_object('id', k.id),
       case when t.id is null then 'missing' when e.id is null then 'extra' when (t.workspace_id, t.firstname, t.lastname, t.email, t.phone_number, t.st_address, t.city, t.state, t.zip, t.lead_source, t.lead_status, t.appointment_status, t.created_at, t.updated_at) is distinct from (e.workspace_id, e.firstname, e.lastname, e.email, e.phone_number, e.st_address, e.city, e.state, e.zip, e.lead_source, e.lead_status, e.appointment_status, e.created_at, e.updated_at) then 'differs' end,
       case when t.id is not null and e.id is not null
            then array_remove(array[
                        case when t.workspace_id is distinct from e.workspace_id then 'workspace_id' end,
                        case when t.firstname is distinct from e.firstname then 'firstname' end,
                        case when t.lastname is distinct from e.lastname then 'lastname' end,
                        case when t.email is distinct from e.email then 'email' end,
                        case when t.phone_number is distinct from e.phone_number then 'phone_number' end,
                        case when t.st_address is distinct from e.st_address then 'st_address' end,
                        case when t.city is distinct from e.city then 'city' end,
                        case when t.state is distinct from e.state then 'state' end,
                        case when t.zip is distinct from e.zip then 'zip' end,
                        case when t.lead_source is distinct from e.lead_source then 'lead_source' end,
                        case when t.lead_status is distinct from e.lead_status then 'lead_status' end,
                        case when t.appointment_status is distinct from e.appointment_status then 'appointment_status' end,
                        case when t.created_at is distinct from e.created_at then 'created_at' end,
                        case when t.updated_at is distinct from e.updated_at then 'updated_at' end], null) end,
       coalesce(e.workspace_id, t.workspace_id),
       case when e.id is not null then (select to_jsonb(r) from (select e.id, e.workspace_id, e.firstname, e.lastname, e.email, e.phone_number, e.st_address, e.city, e.state, e.zip, e.lead_source, e.lead_status, e.appointment_status, e.created_at, e.updated_at) as r) end,
       case when t.id is not null then (select to_jsonb(r) from (select t.id, t.workspace_id, t.firstname, t.lastname, t.email, t.phone_number, t.st_address, t.city, t.state, t.zip, t.lead_source, t.lead_status, t.appointment_status, t.created_at, t.updated_at) as r) end
  from (select distinct (j ->> 'id')::uuid as id from jsonb_array_elements($1) as j) as k
  left join crmshift.contacts_expected as e on e.id = k.id
  left join public.contacts as t on t.id = k.id
 where e.id is not null or t.id is not null
$_$;

-- Name: verdict_customer_custom_fields(jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.verdict_customer_custom_fields(keys jsonb) RETURNS TABLE(key jsonb, kind text, columns text[], workspace_id uuid, expected jsonb, found jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- How public.customer_custom_fields and crmshift.customer_custom_fields_expected stand to each other for these keys; kind is null where they agree. By index, however large the tables are.
select jsonb_build_object('customer_id', k.customer_id, 'field_id', k.field_id),
       case when t.customer_id is null then 'missing' when e.customer_id is null then 'extra' when (t.workspace_id, t.value, t.created_at) is distinct from (e.workspace_id, e.value, e.created_at) then 'differs' end,
       case when t.customer_id is not null and e.customer_id is not null
            then array_remove(array[
                        case when t.workspace_id is distinct from e.workspace_id then 'workspace_id' end,
                        case when t.value is distinct from e.value then 'value' end,
                        case when t.created_at is distinct from e.created_at then 'created_at' end], null) end,
       coalesce(e.workspace_id, t.workspace_id),
       case when e.customer_id is not null then (select to_jsonb(r) from (select e.customer_id, e.field_id, e.workspace_id, e.value, e.created_at) as r) end,
       case when t.customer_id is not null then (select to_jsonb(r) from (select t.customer_id, t.field_id, t.workspace_id, t.value, t.created_at) as r) end
  from (select distinct (j ->> 'customer_id')::uuid as customer_id, (j ->> 'field_id')::uuid as field_id from jsonb_array_elements($1) as j) as k
  left join crmshift.customer_custom_fields_expected as e on e.customer_id = k.customer_id and e.field_id = k.field_id
  left join public.customer_custom_fields as t on t.customer_id = k.customer_id and t.field_id = k.field_id
 where e.customer_id is not null or t.customer_id is not null
$_$;

-- Name: verdict_customers(jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.verdict_customers(keys jsonb) RETURNS TABLE(key jsonb, kind text, columns text[], workspace_id uuid, expected jsonb, found jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- How public.customers and crmshift.customers_expected stand to each other for these keys; kind is null where they agree. By index, however large the tables are.
select jsonb_build_object('cst_id', k.cst_id),
       case when t.cst_id is null then 'missing' when e.cst_id is null then 'extra' when (t.workspace_id, t.firstname, t.lastname, t.email, t.phone1, t.address1, t.city, t.state, t.zip, t.dateadded) is distinct from (e.workspace_id, e.firstname, e.lastname, e.email, e.phone1, e.address1, e.city, e.state, e.zip, e.dateadded) or (t.lastchanged is not distinct from e.lastchanged
      or coalesce(t.lastchanged, '-infinity') <= e.lastchanged
         and exists (select from public.leads as l where l.customer_id = e.cst_id and l.is_primary)) is not true then 'differs' end,
       case when t.cst_id is not null and e.cst_id is not null
            then array_remove(array[
                        case when t.workspace_id is distinct from e.workspace_id then 'workspace_id' end,
                        case when t.firstname is distinct from e.firstname then 'firstname' end,
                        case when t.lastname is distinct from e.lastname then 'lastname' end,
                        case when t.email is distinct from e.email then 'email' end,
                        case when t.phone1 is distinct from e.phone1 then 'phone1' end,
                        case when t.address1 is distinct from e.address1 then 'address1' end,
                        case when t.city is distinct from e.city then 'city' end,
                        case when t.state is distinct from e.state then 'state' end,
                        case when t.zip is distinct from e.zip then 'zip' end,
                        case when t.dateadded is distinct from e.dateadded then 'dateadded' end,
                        case when (t.lastchanged is not distinct from e.lastchanged
      or coalesce(t.lastchanged, '-infinity') <= e.lastchanged
         and exists (select from public.leads as l where l.customer_id = e.cst_id and l.is_primary)) is not true then 'lastchanged' end], null) end,
       coalesce(e.workspace_id, t.workspace_id),
       case when e.cst_id is not null then (select to_jsonb(r) from (select e.cst_id, e.workspace_id, e.firstname, e.lastname, e.email, e.phone1, e.address1, e.city, e.state, e.zip, e.dateadded, e.lastchanged) as r) end,
       case when t.cst_id is not null then (select to_jsonb(r) from (select t.cst_id, t.workspace_id, t.firstname, t.lastname, t.email, t.phone1, t.address1, t.city, t.state, t.zip, t.dateadded, t.lastchanged) as r) end
  from (select distinct (j ->> 'cst_id')::uuid as cst_id from jsonb_array_elements($1) as j) as k
  left join crmshift.customers_expected as e on e.cst_id = k.cst_id
  left join public.customers as t on t.cst_id = k.cst_id
 where e.cst_id is not null or t.cst_id is not null
$_$;

-- Name: verdict_lead_appointments(jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.verdict_lead_appointments(keys jsonb) RETURNS TABLE(key jsonb, kind text, columns text[], workspace_id uuid, expected jsonb, found jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- How public.lead_appointments and crmshift.lead_appointments_expected stand to each other for these keys; kind is null where they agree. By index, however large the tables are.
select jsonb_build_object('id', k.id),
       case when t.id is null then 'missing' when e.id is null then 'extra' when (t.lead_id, t.workspace_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) is distinct from (e.lead_id, e.workspace_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent) then 'differs' end,
       case when t.id is not null and e.id is not null
            then array_remove(array[
                        case when t.lead_id is distinct from e.lead_id then 'lead_id' end,
                        case when t.workspace_id is distinct from e.workspace_id then 'workspace_id' end,
                        case when t.scheduled_at is distinct from e.scheduled_at then 'scheduled_at' end,
                        case when t.apptdate is distinct from e.apptdate then 'apptdate' end,
                        case when t.status is distinct from e.status then 'status' end,
                        case when t.reminder_sent is distinct from e.reminder_sent then 'reminder_sent' end], null) end,
       coalesce(e.workspace_id, t.workspace_id),
       case when e.id is not null then (select to_jsonb(r) from (select e.id, e.lead_id, e.workspace_id, e.scheduled_at, e.apptdate, e.status, e.reminder_sent) as r) end,
       case when t.id is not null then (select to_jsonb(r) from (select t.id, t.lead_id, t.workspace_id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent) as r) end
  from (select distinct (j ->> 'id')::bigint as id from jsonb_array_elements($1) as j) as k
  left join crmshift.lead_appointments_expected as e on e.id = k.id
  left join public.lead_appointments as t on t.id = k.id and exists (select from public.leads as l where l.id = t.lead_id and l.is_primary)
 where e.id is not null or t.id is not null
$_$;

-- Name: verdict_leads(jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.verdict_leads(keys jsonb) RETURNS TABLE(key jsonb, kind text, columns text[], workspace_id uuid, expected jsonb, found jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
-- How public.leads and crmshift.leads_expected stand to each other for these keys; kind is null where they agree. By index, however large the tables are.
select jsonb_build_object('customer_id', k.customer_id),
       case when t.customer_id is null then 'missing' when e.customer_id is null then 'extra' when (t.workspace_id, t.is_primary, t.source, t.disposition, t.appointment_status, t.entrydate) is distinct from (e.workspace_id, e.is_primary, e.source, e.disposition, e.appointment_status, e.entrydate) or (t.lastchangedon is not distinct from e.lastchangedon
      or coalesce(t.lastchangedon, '-infinity') <= e.lastchangedon
         and exists (select from public.customers as o where o.cst_id = e.customer_id and o.lastchanged = e.lastchangedon)) is not true then 'differs' end,
       case when t.customer_id is not null and e.customer_id is not null
            then array_remove(array[
                        case when t.workspace_id is distinct from e.workspace_id then 'workspace_id' end,
                        case when t.is_primary is distinct from e.is_primary then 'is_primary' end,
                        case when t.source is distinct from e.source then 'source' end,
                        case when t.disposition is distinct from e.disposition then 'disposition' end,
                        case when t.appointment_status is distinct from e.appointment_status then 'appointment_status' end,
                        case when t.entrydate is distinct from e.entrydate then 'entrydate' end,
                        case when (t.lastchangedon is not distinct from e.lastchangedon
      or coalesce(t.lastchangedon, '-infinity') <= e.lastchangedon
         and exists (select from public.customers as o where o.cst_id = e.customer_id and o.lastchanged = e.lastchangedon)) is not true then 'lastchangedon' end], null) end,
       coalesce(e.workspace_id, t.workspace_id),
       case when e.customer_id is not null then (select to_jsonb(r) from (select e.customer_id, e.workspace_id, e.is_primary, e.source, e.disposition, e.appointment_status, e.entrydate, e.lastchangedon) as r) end,
       case when t.customer_id is not null then (select to_jsonb(r) from (select t.customer_id, t.workspace_id, t.is_primary, t.source, t.disposition, t.appointment_status, t.entrydate, t.lastchangedon) as r) end
  from (select distinct (j ->> 'customer_id')::uuid as customer_id from jsonb_array_elements($1) as j) as k
  left join crmshift.leads_expected as e on e.customer_id = k.customer_id
  left join public.leads as t on t.customer_id = k.customer_id and t.is_primary
 where e.customer_id is not null or t.customer_id is not null
$_$;

-- Name: walk_condition(text, uuid, uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.walk_condition(of_source text, of_workspace uuid, except_workspaces uuid[]) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $$
declare
    workspace text;
begin
    if of_workspace is null and except_workspaces = '{}' then
        return 'true';
    end if;
    workspace := crmshift.workspace_of(of_source);
    if workspace is null then
        raise exception 'The rows of % do not tell their workspace.', of_source
            using errcode = 'SH001', hint = 'Backfill all workspaces at once: leave out --workspace.';
    end if;
    if of_workspace is not null then
        return format('%s = %L::uuid', workspace, of_workspace);
    end if;
    return format('(%s = any (%L::uuid[])) is not true', workspace, except_workspaces);
end
$$;

-- Name: FUNCTION walk_condition(of_source text, of_workspace uuid, except_workspaces uuid[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.walk_condition(of_source text, of_workspace uuid, except_workspaces uuid[]) IS 'Which rows s of a legacy table a walk is about, as a condition.';

-- Name: without_primary_lead(uuid[]); Type: FUNCTION

CREATE FUNCTION crmshift.without_primary_lead(customer_ids uuid[]) RETURNS uuid[]
    LANGUAGE sql STABLE
    AS $_$
select array_agg(k.id) from unnest($1) as k (id)
 where exists (select from public.leads as l where l.customer_id = k.id)
   and not exists (select from public.leads as p where p.customer_id = k.id and p.is_primary)
$_$;

-- Name: FUNCTION without_primary_lead(customer_ids uuid[]); Type: COMMENT

COMMENT ON FUNCTION crmshift.without_primary_lead(customer_ids uuid[]) IS 'Those of these customers that have leads and no primary one; null where there are none.';

-- Name: workspace_of(text); Type: FUNCTION

CREATE FUNCTION crmshift.workspace_of(of_source text) RETURNS text
    LANGUAGE sql STABLE
    AS $_$
-- The table says so itself, or the row whose child it is: the one that the same parent is made from.
select case when exists (select from pg_catalog.pg_attribute as a
                          where a.attrelid = $1::regclass and a.attname = 'workspace_id' and not a.attisdropped) then 's.workspace_id'
       else (select format('(select p.workspace_id from %s as p where %s)', parent.source::regclass,
                           (select string_agg(format('p.%I = s.%I', p, c), ' and ' order by i) from unnest(parent.key, child.key) with ordinality as u (p, c, i)))
               from crmshift.feed as child
               join crmshift.feed as parent on parent.mapping = child.mapping and parent.mode = 'sync'
               join crmshift.mapping as m on m.name = child.mapping
               join pg_catalog.pg_attribute as a on a.attrelid = parent.source::regclass and a.attname = 'workspace_id' and not a.attisdropped
              where child.source = $1 and child.mode = 'fill' and m.direction = 'to_target' order by m.position limit 1) end
$_$;

-- Name: FUNCTION workspace_of(of_source text); Type: COMMENT

COMMENT ON FUNCTION crmshift.workspace_of(of_source text) IS 'How the rows s of a legacy table tell their workspace, as an expression; null where they do not.';

-- Name: write_batch(text[], text[], text); Type: FUNCTION

CREATE FUNCTION crmshift.write_batch(of_mappings text[], arrays text[], verb text, OUT written bigint, OUT queued bigint) RETURNS record
    LANGUAGE plpgsql
    SET random_page_cost TO '0.1'
    AS $_$
-- Hand keys (arrays as text, one for each key column) to the writers of these mappings, parents first: fill by the backfill,
-- sync by a repair. Lock trouble is raised, to be tried again; at any other the batch is halved, until the bad keys stand alone
-- and are queued.
declare
    m crmshift.mapping;
    n integer;
    half text[];
    one bigint;
    h record;
begin
    written := 0;
    queued := 0;
    begin
        if verb = 'fill' then
            perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
            for m in select g.* from crmshift.mapping as g where g.name = any (of_mappings) order by g.position loop
                execute format('select crmshift.%I(%s)', 'fill_' || m.name,
                               (select string_agg(format('$1[%s]::%s[]', i, t), ', ' order by i) from unnest(m.key_types) with ordinality as u (t, i)))
                   into one using arrays;
                written := written + one;
            end loop;
            if current_setting('crmshift.noted', true) = 'yes' then
                perform crmshift.settle_nested();
            end if;
            perform crmshift.try_deferred(crmshift.targets_of('legacy') || crmshift.targets_of('target'));
            perform set_config('crmshift.depth', '', true);
        else
            -- This locks the rows it reads FOR SHARE: rows of the other side are overwritten, and keys are few.
            perform crmshift.sync_rows(of_mappings, array(select crmshift.keys_of(g.name, arrays) from crmshift.mapping as g
                                                           where g.name = any (of_mappings) order by g.position));
            written := jsonb_array_length(crmshift.keys_of(of_mappings[1], arrays));
        end if;
        return;
    exception
        when lock_not_available or deadlock_detected or serialization_failure then
            raise;
        when others then
            written := 0;
    end;
    select * into m from crmshift.mapping as g where g.name = of_mappings[1];
    execute format('select cardinality($1[1]::%s[])', m.key_types[1]) into n using arrays;
    if n > 1 then
        for i in 0 .. 1 loop
            execute format('select array[%s]', (select string_agg(format('($1[%s]::%s[])[$2:$3]::text', j, t), ', ' order by j)
                                                  from unnest(m.key_types) with ordinality as u (t, j)))
               into half using arrays, 1 + i * (n / 2), case i when 0 then n / 2 else n end;
            select * into h from crmshift.write_batch(of_mappings, half, verb);
            written := written + h.written;
            queued := queued + h.queued;
        end loop;
    else
        for m in select g.* from crmshift.mapping as g where g.name = any (of_mappings) order by g.position loop
            queued := queued + crmshift.sync_or_queue(m.name, crmshift.keys_of(m.name, arrays), verb);
        end loop;
    end if;
end
$_$;

-- Name: FUNCTION write_batch(of_mappings text[], arrays text[], verb text, OUT written bigint, OUT queued bigint); Type: COMMENT

COMMENT ON FUNCTION crmshift.write_batch(of_mappings text[], arrays text[], verb text, OUT written bigint, OUT queued bigint) IS 'Hand keys to the writers of these mappings: what backfill and repair have in common.';

-- Name: write_legacy(text, jsonb, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.write_legacy(of_subject text, of_key jsonb, merged jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $_$
declare
    s crmshift.mapping;
    before text := coalesce(current_setting('crmshift.depth', true), '');
begin
    select * into s from crmshift.mapping where name = of_subject;
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    perform set_config('crmshift.writing', s.target, true);
    execute (select format('update %1$s as x set (%2$s) = (select %2$s from jsonb_populate_record(x, $2)) where %3$s', s.target::regclass,
                           string_agg(quote_ident(a.attname), ', ' order by a.attnum),
                           (select string_agg(format('x.%I = ($1 ->> %L)::%s', k, k, t), ' and ') from unnest(s.key, s.key_types) as u (k, t)))
               from pg_catalog.pg_attribute as a
              where a.attrelid = to_regclass(format('crmshift.%I', s.name || '_expected')) and a.attnum > 0 and a.attname <> all (s.key))
      using of_key, merged;
    perform set_config('crmshift.depth', before, true);
end
$_$;

-- Name: FUNCTION write_legacy(of_subject text, of_key jsonb, merged jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.write_legacy(of_subject text, of_key jsonb, merged jsonb) IS 'Write a merged row to legacy; the target follows from there.';

-- Name: writers_in_flight(); Type: FUNCTION

CREATE FUNCTION crmshift.writers_in_flight() RETURNS TABLE(virtualtransaction text, pid integer, application text, since timestamp with time zone)
    LANGUAGE sql STABLE
    AS $$
select distinct l.virtualtransaction, l.pid, a.application_name, a.xact_start
  from pg_catalog.pg_locks as l
  left join pg_catalog.pg_stat_activity as a on a.pid = l.pid
 where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted and l.pid is distinct from pg_catalog.pg_backend_pid()
   and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
   and l.relation in (select coalesce(p.relid, pg_catalog.to_regclass(f.source)) from crmshift.feed as f
                        left join lateral pg_catalog.pg_partition_tree(pg_catalog.to_regclass(f.source)) as p on true)
$$;

-- Name: FUNCTION writers_in_flight(); Type: COMMENT

COMMENT ON FUNCTION crmshift.writers_in_flight() IS 'Transactions that have written a mapped table and are still open.';

-- Name: written_since(text, xid8, jsonb, jsonb); Type: FUNCTION

CREATE FUNCTION crmshift.written_since(of_mapping text, horizon xid8, after jsonb DEFAULT NULL::jsonb, up_to jsonb DEFAULT NULL::jsonb) RETURNS SETOF jsonb
    LANGUAGE plpgsql STABLE
    AS $_$
-- A transaction as old as the horizon had ended when it was taken: a row version with an older xmin was there then. That holds
-- for frozen rows too, for they keep their xmin; those of two thousand million transactions ago may be taken for new, and are looked
-- at for nothing. A row of a subject counts whichever of its tables it stands in, and so does one of a subject it hangs on.
declare
    m crmshift.mapping;
    query text;
begin
    select * into strict m from crmshift.mapping where name = of_mapping;
    with about as (
        select ms.subject, ms.key as subject_key, ms.columns from crmshift.mapping_subject as ms where ms.mapping = of_mapping
    ), found as (
        select a.*, s.source, s.key as named, s.columns as stands, null::text as parent, null::text[] as parent_columns, null::text[] as child_columns
          from about as a join crmshift.source_subject as s on s.subject = a.subject and s.mode = 'sync'
        union all
        select a.*, c.source, c.key, c.columns, p.source, p.columns, up.columns
          from about as a
          join crmshift.source_subject as c on c.subject = a.subject and c.mode = 'sync' and c.whole
          join crmshift.source_subject as up on up.source = c.source and up.mode = 'fill'
          join crmshift.source_subject as p on p.subject = up.subject and p.key = up.key and p.mode = 'sync'
    )
    select string_agg(format('select %s from %s as r%s where pg_catalog.age(%s.xmin) <= pg_catalog.age($1::xid)', k.listed, f.source::regclass,
                             case when f.parent is not null then
                                 (select format(' join %s as p on %s', f.parent::regclass, string_agg(format('p.%I = r.%I', pc, cc), ' and '))
                                    from unnest(f.parent_columns, f.child_columns) as u (pc, cc)) end,
                             case when f.parent is null then 'r' else 'p' end), ' union ')
      into query
      from found as f
     cross join lateral (
         select string_agg(format('r.%I', f.stands[array_position(f.named, f.subject_key[array_position(f.columns, mk)])]), ', ' order by i) as listed
           from unnest(m.key) with ordinality as u (mk, i)) as k;
    return query execute format('select jsonb_build_object(%s) from (%s) as w (%s) where ($2 is null or (%4$s) > (%5$s)) and ($3 is null or (%4$s) <= (%6$s))',
        (select string_agg(format('%L, w.%I', k, k), ', ') from unnest(m.key) as k), query,
        (select string_agg(quote_ident(k), ', ' order by i) from unnest(m.key) with ordinality as u (k, i)),
        (select string_agg(format('w.%I', k), ', ' order by i) from unnest(m.key) with ordinality as u (k, i)),
        (select string_agg(format('($2 ->> %L)::%s', k, t), ', ' order by i) from unnest(m.key, m.key_types) with ordinality as u (k, t, i)),
        (select string_agg(format('($3 ->> %L)::%s', k, t), ', ' order by i) from unnest(m.key, m.key_types) with ordinality as u (k, t, i)))
        using horizon, after, up_to;
end
$_$;

-- Name: FUNCTION written_since(of_mapping text, horizon xid8, after jsonb, up_to jsonb); Type: COMMENT

COMMENT ON FUNCTION crmshift.written_since(of_mapping text, horizon xid8, after jsonb, up_to jsonb) IS 'Keys of a mapping whose rows, on either side, or the rows they hang on, were written since a horizon of transactions. What was deleted since is not among them.';

-- Name: customers; Type: TABLE

CREATE TABLE public.customers (
    cst_id uuid DEFAULT gen_random_uuid() NOT NULL,
    workspace_id uuid NOT NULL,
    firstname text,
    lastname text,
    email text,
    phone1 text,
    address1 text,
    address2 text,
    city text,
    state text,
    zip text,
    dateadded timestamp with time zone DEFAULT now(),
    lastchanged timestamp with time zone DEFAULT now(),
    created_at timestamp with time zone GENERATED ALWAYS AS (dateadded) STORED,
    updated_at timestamp with time zone GENERATED ALWAYS AS (lastchanged) STORED
);

ALTER TABLE ONLY public.customers FORCE ROW LEVEL SECURITY;

-- Name: TABLE customers; Type: COMMENT

COMMENT ON TABLE public.customers IS 'A person or household of a workspace; has any number of leads. Same id as the legacy contact.';

-- Name: COLUMN customers.address2; Type: COMMENT

COMMENT ON COLUMN public.customers.address2 IS 'Has no counterpart in legacy.';

-- Name: COLUMN customers.dateadded; Type: COMMENT

COMMENT ON COLUMN public.customers.dateadded IS 'When legacy or the application first had it; null where legacy does not know.';

-- Name: COLUMN customers.lastchanged; Type: COMMENT

COMMENT ON COLUMN public.customers.lastchanged IS 'When its own columns last changed; a change of a lead does not touch it.';

-- Name: visible_customer; Type: VIEW

CREATE VIEW crmshift.visible_customer WITH (security_invoker='true') AS
 SELECT cst_id
   FROM public.customers c;

-- Name: VIEW visible_customer; Type: COMMENT

COMMENT ON VIEW crmshift.visible_customer IS 'Ids of the customers that the current role can see.';

-- Name: appointments; Type: TABLE

CREATE TABLE public.appointments (
    id bigint NOT NULL,
    contact_id uuid NOT NULL,
    scheduled_at timestamp with time zone,
    apptdate timestamp with time zone,
    status character varying(255),
    reminder_sent boolean
);

-- Name: TABLE appointments; Type: COMMENT

COMMENT ON TABLE public.appointments IS 'An appointment with a contact; it knows nothing of leads.';

-- Name: COLUMN appointments.scheduled_at; Type: COMMENT

COMMENT ON COLUMN public.appointments.scheduled_at IS 'When the appointment was made.';

-- Name: COLUMN appointments.apptdate; Type: COMMENT

COMMENT ON COLUMN public.appointments.apptdate IS 'When it takes place.';

-- Name: appointment_lock; Type: VIEW

CREATE VIEW crmshift.appointment_lock WITH (security_barrier='true') AS
 SELECT contact_id AS customer_id,
    id,
    NULL::boolean AS held
   FROM public.appointments a
  WHERE (EXISTS ( SELECT
           FROM crmshift.visible_customer v
          WHERE (v.cst_id = a.contact_id)));

-- Name: VIEW appointment_lock; Type: COMMENT

COMMENT ON VIEW crmshift.appointment_lock IS 'The appointments legacy has of customers the current role can see, for SELECT … FOR UPDATE alone; see crmshift.lock_customer.';

-- Name: COLUMN appointment_lock.held; Type: COMMENT

COMMENT ON COLUMN crmshift.appointment_lock.held IS 'As in crmshift.customer_lock.';

-- Name: appointments_id_seq; Type: SEQUENCE

ALTER TABLE public.appointments ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.appointments_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: lead_appointments; Type: TABLE

CREATE TABLE public.lead_appointments (
    id bigint DEFAULT nextval('public.appointments_id_seq'::regclass) NOT NULL,
    lead_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    scheduled_at timestamp with time zone DEFAULT now(),
    apptdate timestamp with time zone,
    status text,
    reminder_sent boolean
);

ALTER TABLE ONLY public.lead_appointments FORCE ROW LEVEL SECURITY;

-- Name: TABLE lead_appointments; Type: COMMENT

COMMENT ON TABLE public.lead_appointments IS 'An appointment about one lead.';

-- Name: COLUMN lead_appointments.scheduled_at; Type: COMMENT

COMMENT ON COLUMN public.lead_appointments.scheduled_at IS 'When the appointment was made.';

-- Name: COLUMN lead_appointments.apptdate; Type: COMMENT

COMMENT ON COLUMN public.lead_appointments.apptdate IS 'When it takes place.';

-- Name: leads; Type: TABLE

CREATE TABLE public.leads (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    customer_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    productid text,
    source text,
    sourcesubdescr text,
    disposition text,
    stg_id integer,
    appointment_status text,
    is_primary boolean DEFAULT false NOT NULL,
    entrydate timestamp with time zone DEFAULT now(),
    apptdate timestamp with time zone,
    lastchangedon timestamp with time zone DEFAULT now(),
    lastchangedby text,
    created_at timestamp with time zone GENERATED ALWAYS AS (entrydate) STORED,
    updated_at timestamp with time zone GENERATED ALWAYS AS (lastchangedon) STORED
);

ALTER TABLE ONLY public.leads FORCE ROW LEVEL SECURITY;

-- Name: TABLE leads; Type: COMMENT

COMMENT ON TABLE public.leads IS 'One enquiry of a customer. Legacy sees only the primary one, as contacts.lead_status.';

-- Name: COLUMN leads.productid; Type: COMMENT

COMMENT ON COLUMN public.leads.productid IS 'What the enquiry is about; null where unknown. Legacy does not know, so migrated leads have none.';

-- Name: COLUMN leads.sourcesubdescr; Type: COMMENT

COMMENT ON COLUMN public.leads.sourcesubdescr IS 'Has no counterpart in legacy.';

-- Name: COLUMN leads.disposition; Type: COMMENT

COMMENT ON COLUMN public.leads.disposition IS 'Legacy: contacts.lead_status, verbatim.';

-- Name: COLUMN leads.stg_id; Type: COMMENT

COMMENT ON COLUMN public.leads.stg_id IS 'Stage of the pipeline; has no counterpart in legacy.';

-- Name: COLUMN leads.appointment_status; Type: COMMENT

COMMENT ON COLUMN public.leads.appointment_status IS 'Legacy: contacts.appointment_status, verbatim. The appointments themselves are in lead_appointments.';

-- Name: COLUMN leads.is_primary; Type: COMMENT

COMMENT ON COLUMN public.leads.is_primary IS 'The lead legacy sees: the migrated one, or the one chosen since. In every committed state a customer that has leads has exactly one; see crmshift.primary_lead_rule.';

-- Name: COLUMN leads.entrydate; Type: COMMENT

COMMENT ON COLUMN public.leads.entrydate IS 'When the enquiry was entered; for a migrated lead, when its contact was.';

-- Name: COLUMN leads.apptdate; Type: COMMENT

COMMENT ON COLUMN public.leads.apptdate IS 'Free for the application; appointments have their own table and their own dates.';

-- Name: COLUMN leads.lastchangedon; Type: COMMENT

COMMENT ON COLUMN public.leads.lastchangedon IS 'When the lead last changed. Legacy keeps one clock for contact and lead: the later of this and customers.lastchanged.';

-- Name: appointments_expected; Type: VIEW

CREATE VIEW crmshift.appointments_expected AS
 SELECT a.id,
    l.customer_id AS contact_id,
    a.scheduled_at,
    a.apptdate,
    a.status,
    a.reminder_sent
   FROM (public.lead_appointments a
     JOIN public.leads l ON ((l.id = a.lead_id)))
  WHERE (l.is_primary OR ((EXISTS ( SELECT
           FROM public.appointments o
          WHERE ((o.id = a.id) AND (o.contact_id = l.customer_id)))) AND (NOT (EXISTS ( SELECT
           FROM public.leads p
          WHERE ((p.customer_id = l.customer_id) AND p.is_primary))))));

-- Name: VIEW appointments_expected; Type: COMMENT

COMMENT ON VIEW crmshift.appointments_expected IS 'What public.appointments should hold, read from public.lead_appointments.';

-- Name: archive_id_seq; Type: SEQUENCE

ALTER TABLE crmshift.archive ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME crmshift.archive_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: backfill_range; Type: TABLE

CREATE TABLE crmshift.backfill_range (
    walk bigint NOT NULL,
    number integer NOT NULL,
    low_key text[],
    high_key text[] NOT NULL,
    last_key text[],
    rows_total bigint NOT NULL,
    rows_done bigint DEFAULT 0 NOT NULL,
    written bigint DEFAULT 0 NOT NULL,
    queued bigint DEFAULT 0 NOT NULL,
    batches bigint DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone,
    finished_at timestamp with time zone
)
WITH (fillfactor='50');

-- Name: TABLE backfill_range; Type: COMMENT

COMMENT ON TABLE crmshift.backfill_range IS 'Pieces of a walk. A worker holds the row of one while its batch runs, and no longer: whoever comes next may go on.';

-- Name: COLUMN backfill_range.low_key; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_range.low_key IS 'The range begins after this key; null: with the first.';

-- Name: COLUMN backfill_range.high_key; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_range.high_key IS 'Last key of the range.';

-- Name: COLUMN backfill_range.last_key; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_range.last_key IS 'Last key that is done.';

-- Name: COLUMN backfill_range.rows_total; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_range.rows_total IS 'Rows of the range when the walk began.';

-- Name: COLUMN backfill_range.rows_done; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_range.rows_done IS 'Source rows walked so far.';

-- Name: COLUMN backfill_range.written; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_range.written IS 'Rows inserted on the target, in all its tables; the others were there already.';

-- Name: COLUMN backfill_range.queued; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_range.queued IS 'Keys that could not be written and stand in the sync queue.';

-- Name: COLUMN backfill_range.batches; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_range.batches IS 'Committed batches.';

-- Name: COLUMN backfill_range.updated_at; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_range.updated_at IS 'When the last batch committed.';

-- Name: COLUMN backfill_range.finished_at; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_range.finished_at IS 'When its last key was reached.';

-- Name: backfill_walk; Type: TABLE

CREATE TABLE crmshift.backfill_walk (
    id bigint NOT NULL,
    source text NOT NULL,
    workspace_id uuid,
    except_workspaces uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    upper_key text[],
    rows_total bigint NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

-- Name: TABLE backfill_walk; Type: COMMENT

COMMENT ON TABLE crmshift.backfill_walk IS 'What each walk of a legacy table froze at its start. To forget one: delete it. How far it has come: crmshift.backfill.';

-- Name: COLUMN backfill_walk.source; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_walk.source IS 'Table whose keys are walked.';

-- Name: COLUMN backfill_walk.workspace_id; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_walk.workspace_id IS 'Only rows of this workspace; null: of all.';

-- Name: COLUMN backfill_walk.except_workspaces; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_walk.except_workspaces IS 'Workspaces that were complete already when a walk of all began, and are left out of it.';

-- Name: COLUMN backfill_walk.upper_key; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_walk.upper_key IS 'Largest key at the start: rows born later arrive by the triggers. Null where there was no row.';

-- Name: COLUMN backfill_walk.rows_total; Type: COMMENT

COMMENT ON COLUMN crmshift.backfill_walk.rows_total IS 'Rows to walk, counted at the start.';

-- Name: backfill_walk_id_seq; Type: SEQUENCE

ALTER TABLE crmshift.backfill_walk ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME crmshift.backfill_walk_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: appointment_custom_fields; Type: TABLE

CREATE TABLE public.appointment_custom_fields (
    appointment_id bigint NOT NULL,
    field_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    value text,
    created_at timestamp with time zone DEFAULT now()
);

ALTER TABLE ONLY public.appointment_custom_fields FORCE ROW LEVEL SECURITY;

-- Name: TABLE appointment_custom_fields; Type: COMMENT

COMMENT ON TABLE public.appointment_custom_fields IS 'Value of a custom field for one appointment. Legacy cannot hold it.';

-- Name: lead_custom_fields; Type: TABLE

CREATE TABLE public.lead_custom_fields (
    lead_id uuid NOT NULL,
    field_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    value text,
    created_at timestamp with time zone DEFAULT now()
);

ALTER TABLE ONLY public.lead_custom_fields FORCE ROW LEVEL SECURITY;

-- Name: TABLE lead_custom_fields; Type: COMMENT

COMMENT ON TABLE public.lead_custom_fields IS 'Value of a custom field for one lead. Legacy cannot hold it.';

-- Name: beyond_legacy; Type: VIEW

CREATE VIEW crmshift.beyond_legacy AS
 WITH l AS NOT MATERIALIZED (
         SELECT leads.id,
            leads.customer_id,
            leads.workspace_id,
            leads.productid,
            leads.source,
            leads.sourcesubdescr,
            leads.disposition,
            leads.stg_id,
            leads.appointment_status,
            leads.is_primary,
            leads.entrydate,
            leads.apptdate,
            leads.lastchangedon,
            leads.lastchangedby,
            leads.created_at,
            leads.updated_at
           FROM public.leads
        )
 SELECT l.customer_id,
    l.workspace_id,
    'public.leads'::text AS table_name,
    jsonb_build_object('id', l.id) AS key,
    NULL::text AS column_name,
    'lead that is not the primary one'::text AS what
   FROM l
  WHERE (NOT l.is_primary)
UNION ALL
 SELECT l.customer_id,
    a.workspace_id,
    'public.lead_appointments'::text AS table_name,
    jsonb_build_object('id', a.id) AS key,
    NULL::text AS column_name,
    'appointment of a lead that is not the primary one'::text AS what
   FROM (public.lead_appointments a
     JOIN l ON ((l.id = a.lead_id)))
  WHERE (NOT l.is_primary)
UNION ALL
 SELECT l.customer_id,
    f.workspace_id,
    'public.lead_custom_fields'::text AS table_name,
    jsonb_build_object('lead_id', f.lead_id, 'field_id', f.field_id) AS key,
    NULL::text AS column_name,
    'custom field of a lead'::text AS what
   FROM (public.lead_custom_fields f
     JOIN l ON ((l.id = f.lead_id)))
UNION ALL
 SELECT l.customer_id,
    f.workspace_id,
    'public.appointment_custom_fields'::text AS table_name,
    jsonb_build_object('appointment_id', f.appointment_id, 'field_id', f.field_id) AS key,
    NULL::text AS column_name,
    'custom field of an appointment'::text AS what
   FROM ((public.appointment_custom_fields f
     JOIN public.lead_appointments a ON ((a.id = f.appointment_id)))
     JOIN l ON ((l.id = a.lead_id)))
UNION ALL
 SELECT c.cst_id AS customer_id,
    c.workspace_id,
    'public.customers'::text AS table_name,
    jsonb_build_object('cst_id', c.cst_id) AS key,
    'address2'::text AS column_name,
    'second line of the address'::text AS what
   FROM public.customers c
  WHERE (c.address2 IS NOT NULL)
UNION ALL
 SELECT l.customer_id,
    l.workspace_id,
    'public.leads'::text AS table_name,
    jsonb_build_object('id', l.id) AS key,
    v.column_name,
    v.what
   FROM ((l
     JOIN public.customers c ON ((c.cst_id = l.customer_id)))
     CROSS JOIN LATERAL ( VALUES ('productid'::text,(l.productid IS NOT NULL),'product of the primary lead'::text), ('sourcesubdescr'::text,(l.sourcesubdescr IS NOT NULL),'sub-source of the primary lead'::text), ('stg_id'::text,(l.stg_id IS NOT NULL),'stage of the primary lead'::text), ('apptdate'::text,(l.apptdate IS NOT NULL),'appointment date on the primary lead'::text), ('lastchangedby'::text,(l.lastchangedby IS NOT NULL),'who last changed the primary lead'::text), ('entrydate'::text,(l.entrydate IS DISTINCT FROM c.dateadded),'entry date of the primary lead, other than the customer''s'::text)) v(column_name, beyond, what))
  WHERE (l.is_primary AND v.beyond);

-- Name: VIEW beyond_legacy; Type: COMMENT

COMMENT ON VIEW crmshift.beyond_legacy IS 'Everything on the target that legacy has no place for, one row each: whole rows (column_name null) and single values.';

-- Name: mapping; Type: TABLE

CREATE TABLE crmshift.mapping (
    name text NOT NULL,
    entity text NOT NULL,
    direction text NOT NULL,
    target text NOT NULL,
    key text[] NOT NULL,
    key_types text[] NOT NULL,
    only_where text,
    conflict_where text,
    before_remove text,
    clock text[] DEFAULT '{}'::text[] NOT NULL,
    "position" integer NOT NULL,
    CONSTRAINT direction_is_known CHECK ((direction = ANY (ARRAY['to_target'::text, 'to_legacy'::text]))),
    CONSTRAINT every_key_has_a_type CHECK ((cardinality(key_types) = cardinality(key))),
    CONSTRAINT key_is_not_empty CHECK ((cardinality(key) > 0)),
    CONSTRAINT name_is_plain CHECK ((name ~ '^[a-z][a-z0-9_]{0,40}$'::text))
);

-- Name: TABLE mapping; Type: COMMENT

COMMENT ON TABLE crmshift.mapping IS 'One row for each mapped table: the view <name>_expected says what it should hold.';

-- Name: COLUMN mapping.name; Type: COMMENT

COMMENT ON COLUMN crmshift.mapping.name IS 'Name of the mapping; its view is crmshift.<name>_expected.';

-- Name: COLUMN mapping.entity; Type: COMMENT

COMMENT ON COLUMN crmshift.mapping.entity IS 'The mapped table pair this is one direction of: customer, lead, custom field, appointment.';

-- Name: COLUMN mapping.direction; Type: COMMENT

COMMENT ON COLUMN crmshift.mapping.direction IS 'to_target: legacy to lead-centric. to_legacy: back.';

-- Name: COLUMN mapping.target; Type: COMMENT

COMMENT ON COLUMN crmshift.mapping.target IS 'The table the view describes, schema-qualified.';

-- Name: COLUMN mapping.key; Type: COMMENT

COMMENT ON COLUMN crmshift.mapping.key IS 'Columns of the table that identify a row; the view has them too.';

-- Name: COLUMN mapping.key_types; Type: COMMENT

COMMENT ON COLUMN crmshift.mapping.key_types IS 'Their types, in the same order.';

-- Name: COLUMN mapping.only_where; Type: COMMENT

COMMENT ON COLUMN crmshift.mapping.only_where IS 'Condition on the table, as t, that picks the rows the mapping speaks of, e.g. t.is_primary.';

-- Name: COLUMN mapping.conflict_where; Type: COMMENT

COMMENT ON COLUMN crmshift.mapping.conflict_where IS 'Predicate of the unique index on the key, where that is a partial one.';

-- Name: COLUMN mapping.before_remove; Type: COMMENT

COMMENT ON COLUMN crmshift.mapping.before_remove IS 'Function called with the keys that are about to be deleted, e.g. to archive what legacy cannot hold.';

-- Name: COLUMN mapping.clock; Type: COMMENT

COMMENT ON COLUMN crmshift.mapping.clock IS 'Columns that only say when a row changed: the later write''s stands, and that is no conflict.';

-- Name: COLUMN mapping."position"; Type: COMMENT

COMMENT ON COLUMN crmshift.mapping."position" IS 'Rows are written in this order within a direction, and removed in the reverse order: parents first.';

-- Name: check_list; Type: VIEW

CREATE VIEW crmshift.check_list AS
 SELECT ('drift_'::text || m.name) AS name,
    'Every row and column agrees with its mapping'::text AS title,
    'error'::text AS severity,
    'crmshift validate --repair'::text AS remedy,
    m."position" AS rank
   FROM crmshift.mapping m
  WHERE (m.direction = 'to_target'::text)
UNION ALL
 SELECT substr((p.proname)::text, 7) AS name,
    COALESCE(split_part(c.words, '
'::text, 1), substr((p.proname)::text, 7)) AS title,
    COALESCE("substring"(c.words, '(?n)^Severity: (error|warning)$'::text), 'error'::text) AS severity,
    COALESCE("substring"(c.words, '
Do: (.*)$'::text), ''::text) AS remedy,
    1000 AS rank
   FROM (pg_proc p
     CROSS JOIN LATERAL obj_description(p.oid, 'pg_proc'::name) c(words))
  WHERE ((p.pronamespace = ('crmshift'::regnamespace)::oid) AND (p.proname ~~ 'check\_%'::text));

-- Name: VIEW check_list; Type: COMMENT

COMMENT ON VIEW crmshift.check_list IS 'Every check there is: the drift of each mapping, and each function crmshift.check_<name>.';

-- Name: COLUMN check_list.title; Type: COMMENT

COMMENT ON COLUMN crmshift.check_list.title IS 'What must hold.';

-- Name: COLUMN check_list.severity; Type: COMMENT

COMMENT ON COLUMN crmshift.check_list.severity IS 'error: a validation fails where it finds something. warning: it is only shown.';

-- Name: COLUMN check_list.remedy; Type: COMMENT

COMMENT ON COLUMN crmshift.check_list.remedy IS 'What to do about what it finds.';

-- Name: COLUMN check_list.rank; Type: COMMENT

COMMENT ON COLUMN crmshift.check_list.rank IS 'The order in which they run.';

-- Name: comparison; Type: TABLE

CREATE TABLE crmshift.comparison (
    mapping text NOT NULL,
    column_name text NOT NULL,
    agrees text NOT NULL
);

-- Name: TABLE comparison; Type: COMMENT

COMMENT ON TABLE crmshift.comparison IS 'Columns that are compared by a condition instead of by value: clocks, and others that follow from the rest. They are still written whenever the row is.';

-- Name: COLUMN comparison.agrees; Type: COMMENT

COMMENT ON COLUMN crmshift.comparison.agrees IS 'Condition on e, the row as the view has it, and t, the row of the table: true where the column agrees. It is looked at where there are both.';

-- Name: conflict_log; Type: TABLE

CREATE TABLE crmshift.conflict_log (
    id bigint NOT NULL,
    subject text NOT NULL,
    key jsonb NOT NULL,
    kind text NOT NULL,
    columns text[] DEFAULT '{}'::text[] NOT NULL,
    policy text NOT NULL,
    winner text,
    losing jsonb,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    decision text,
    decided_by text,
    decided_at timestamp with time zone,
    CONSTRAINT decision_is_a_side CHECK ((decision = ANY (ARRAY['legacy'::text, 'target'::text]))),
    CONSTRAINT winner_is_known CHECK ((winner = ANY (ARRAY['legacy'::text, 'target'::text, 'merged'::text])))
);

-- Name: TABLE conflict_log; Type: COMMENT

COMMENT ON TABLE crmshift.conflict_log IS 'Conflicts: what both sides wrote while they could not agree, who won, and what the other had written. Open ones wait for crmshift.resolve().';

-- Name: COLUMN conflict_log.subject; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_log.subject IS 'What the conflict is about, by the mapping back to its legacy table.';

-- Name: COLUMN conflict_log.key; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_log.key IS 'Its key in legacy.';

-- Name: COLUMN conflict_log.kind; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_log.kind IS 'By PostgreSQL 18''s names. update_origin_differs: both changed it. insert_exists: it was inserted where the other side had it already. delete_origin_differs: one side deleted it, the other changed it.';

-- Name: COLUMN conflict_log.columns; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_log.columns IS 'Legacy columns in conflict; empty where it is about the whole row.';

-- Name: COLUMN conflict_log.policy; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_log.policy IS 'Policy that settled it.';

-- Name: COLUMN conflict_log.winner; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_log.winner IS 'Side whose values stand; merged where a function found others; null while it is open.';

-- Name: COLUMN conflict_log.losing; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_log.losing IS 'What does not stand, as {column: [before, lost]}, or [before, legacy, target] where neither does; values of customers.';

-- Name: COLUMN conflict_log.at; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_log.at IS 'When it was found.';

-- Name: COLUMN conflict_log.decision; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_log.decision IS 'Side a person chose.';

-- Name: COLUMN conflict_log.decided_by; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_log.decided_by IS 'Who.';

-- Name: COLUMN conflict_log.decided_at; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_log.decided_at IS 'When.';

-- Name: conflict_log_id_seq; Type: SEQUENCE

ALTER TABLE crmshift.conflict_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME crmshift.conflict_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: conflict_policy; Type: TABLE

CREATE TABLE crmshift.conflict_policy (
    subject text NOT NULL,
    conflict text DEFAULT 'update'::text NOT NULL,
    columns text[] DEFAULT '{}'::text[] NOT NULL,
    policy text NOT NULL,
    CONSTRAINT conflict_is_known CHECK ((conflict = ANY (ARRAY['update'::text, 'delete'::text]))),
    CONSTRAINT deletes_concern_the_whole_row CHECK (((conflict = 'update'::text) OR (columns = '{}'::text[]))),
    CONSTRAINT policy_is_known CHECK (((policy = ANY (ARRAY['last_update_wins'::text, 'first_update_wins'::text, 'legacy_wins'::text, 'target_wins'::text, 'manual'::text])) OR ((conflict = 'update'::text) AND ((policy = 'column_merge'::text) OR (policy ~~ 'function:%'::text)))))
);

-- Name: TABLE conflict_policy; Type: COMMENT

COMMENT ON TABLE crmshift.conflict_policy IS 'What to do where both sides wrote one row while they could not agree. Columns in one group go together. Without a row: column_merge for updates, last_update_wins for deletes.';

-- Name: COLUMN conflict_policy.subject; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_policy.subject IS 'The mapping back to the legacy table, e.g. contacts.';

-- Name: COLUMN conflict_policy.conflict; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_policy.conflict IS 'update: both sides changed the row, or both inserted it. delete: one deleted it, the other changed it.';

-- Name: COLUMN conflict_policy.columns; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_policy.columns IS 'Legacy columns of the group; empty: all that no other group names.';

-- Name: COLUMN conflict_policy.policy; Type: COMMENT

COMMENT ON COLUMN crmshift.conflict_policy.policy IS 'last_update_wins, first_update_wins, legacy_wins, target_wins: the group goes to one side. column_merge: each column by itself, the later write where both changed it. function:<name>: a function (subject text, key jsonb, before jsonb, legacy jsonb, target jsonb) returns jsonb, the values that stand. manual: it waits for crmshift.resolve().';

-- Name: customer_custom_fields; Type: TABLE

CREATE TABLE public.customer_custom_fields (
    customer_id uuid NOT NULL,
    field_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    value text,
    created_at timestamp with time zone DEFAULT now()
);

ALTER TABLE ONLY public.customer_custom_fields FORCE ROW LEVEL SECURITY;

-- Name: TABLE customer_custom_fields; Type: COMMENT

COMMENT ON TABLE public.customer_custom_fields IS 'Value of a custom field for a customer, whatever the lead.';

-- Name: contact_custom_fields_expected; Type: VIEW

CREATE VIEW crmshift.contact_custom_fields_expected AS
 SELECT customer_id AS contact_id,
    field_id,
    value,
    created_at
   FROM public.customer_custom_fields f;

-- Name: VIEW contact_custom_fields_expected; Type: COMMENT

COMMENT ON VIEW crmshift.contact_custom_fields_expected IS 'What public.contact_custom_fields should hold, read from public.customer_custom_fields.';

-- Name: contacts; Type: TABLE

CREATE TABLE public.contacts (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    workspace_id uuid NOT NULL,
    firstname character varying(255),
    lastname character varying(255),
    email character varying(255),
    phone_number character varying(255),
    st_address text,
    city character varying(255),
    state character varying(255),
    zip character varying(255),
    lead_source character varying(255),
    lead_status character varying(255),
    appointment_status character varying(255),
    created_at timestamp with time zone DEFAULT now(),
    updated_at timestamp with time zone DEFAULT now()
);

-- Name: TABLE contacts; Type: COMMENT

COMMENT ON TABLE public.contacts IS 'A person, with the one lead and the one appointment status this model can hold.';

-- Name: contacts_expected; Type: VIEW

CREATE VIEW crmshift.contacts_expected AS
 SELECT t.cst_id AS id,
    t.workspace_id,
    t.firstname,
    t.lastname,
    t.email,
    t.phone1 AS phone_number,
    t.address1 AS st_address,
    t.city,
    t.state,
    t.zip,
        CASE
            WHEN (l.id IS NULL) THEN (c.lead_source)::text
            ELSE l.source
        END AS lead_source,
        CASE
            WHEN (l.id IS NULL) THEN (c.lead_status)::text
            ELSE l.disposition
        END AS lead_status,
        CASE
            WHEN (l.id IS NULL) THEN (c.appointment_status)::text
            ELSE l.appointment_status
        END AS appointment_status,
    t.dateadded AS created_at,
    GREATEST(t.lastchanged, l.lastchangedon, c.updated_at) AS updated_at
   FROM ((public.customers t
     LEFT JOIN public.leads l ON (((l.customer_id = t.cst_id) AND l.is_primary)))
     LEFT JOIN LATERAL ( SELECT c_1.lead_source,
            c_1.lead_status,
            c_1.appointment_status,
            c_1.updated_at
           FROM public.contacts c_1
          WHERE ((c_1.id = t.cst_id) AND (l.id IS NULL) AND (EXISTS ( SELECT
                   FROM public.leads o
                  WHERE (o.customer_id = t.cst_id))))
         LIMIT 1) c ON (true));

-- Name: VIEW contacts_expected; Type: COMMENT

COMMENT ON VIEW crmshift.contacts_expected IS 'What public.contacts should hold, read from public.customers and their primary public.leads.';

-- Name: contact_custom_fields; Type: TABLE

CREATE TABLE public.contact_custom_fields (
    contact_id uuid NOT NULL,
    field_id uuid NOT NULL,
    value text,
    created_at timestamp with time zone DEFAULT now()
);

-- Name: TABLE contact_custom_fields; Type: COMMENT

COMMENT ON TABLE public.contact_custom_fields IS 'Value of a custom field for a contact.';

-- Name: customer_custom_fields_expected; Type: VIEW

CREATE VIEW crmshift.customer_custom_fields_expected AS
 SELECT f.contact_id AS customer_id,
    f.field_id,
    COALESCE(t.workspace_id, c.workspace_id) AS workspace_id,
    f.value,
    f.created_at
   FROM ((public.contact_custom_fields f
     JOIN public.contacts c ON ((c.id = f.contact_id)))
     LEFT JOIN public.customers t ON ((t.cst_id = c.id)));

-- Name: VIEW customer_custom_fields_expected; Type: COMMENT

COMMENT ON VIEW crmshift.customer_custom_fields_expected IS 'What public.customer_custom_fields should hold, read from public.contact_custom_fields.';

-- Name: customer_field_lock; Type: VIEW

CREATE VIEW crmshift.customer_field_lock WITH (security_barrier='true') AS
 SELECT contact_id AS customer_id,
    field_id,
    NULL::boolean AS held
   FROM public.contact_custom_fields f
  WHERE (EXISTS ( SELECT
           FROM crmshift.visible_customer v
          WHERE (v.cst_id = f.contact_id)));

-- Name: VIEW customer_field_lock; Type: COMMENT

COMMENT ON VIEW crmshift.customer_field_lock IS 'The fields legacy has of customers the current role can see, for SELECT … FOR UPDATE alone; see crmshift.lock_customer.';

-- Name: COLUMN customer_field_lock.held; Type: COMMENT

COMMENT ON COLUMN crmshift.customer_field_lock.held IS 'As in crmshift.customer_lock.';

-- Name: customer_lock; Type: VIEW

CREATE VIEW crmshift.customer_lock WITH (security_barrier='true') AS
 SELECT id AS customer_id,
    NULL::boolean AS held
   FROM public.contacts c
  WHERE (EXISTS ( SELECT
           FROM crmshift.visible_customer v
          WHERE (v.cst_id = c.id)));

-- Name: VIEW customer_lock; Type: COMMENT

COMMENT ON VIEW crmshift.customer_lock IS 'The contacts of customers the current role can see, for SELECT … FOR UPDATE alone; see crmshift.lock_customer.';

-- Name: COLUMN customer_lock.held; Type: COMMENT

COMMENT ON COLUMN crmshift.customer_lock.held IS 'Always null. The right to update it is the right to lock the row; it cannot be written.';

-- Name: customers_expected; Type: VIEW

CREATE VIEW crmshift.customers_expected AS
 SELECT id AS cst_id,
    workspace_id,
    (firstname)::text AS firstname,
    (lastname)::text AS lastname,
    (email)::text AS email,
    (phone_number)::text AS phone1,
    st_address AS address1,
    (city)::text AS city,
    (state)::text AS state,
    (zip)::text AS zip,
    created_at AS dateadded,
    updated_at AS lastchanged
   FROM public.contacts c;

-- Name: VIEW customers_expected; Type: COMMENT

COMMENT ON VIEW crmshift.customers_expected IS 'What public.customers should hold, read from public.contacts.';

-- Name: feed; Type: TABLE

CREATE TABLE crmshift.feed (
    mapping text NOT NULL,
    source text NOT NULL,
    key text[] NOT NULL,
    mode text NOT NULL,
    prepare text,
    reaches text,
    CONSTRAINT mode_is_known CHECK ((mode = ANY (ARRAY['sync'::text, 'fill'::text])))
);

-- Name: TABLE feed; Type: COMMENT

COMMENT ON TABLE crmshift.feed IS 'Which tables a mapping reads, so that a write there reaches it.';

-- Name: COLUMN feed.source; Type: COMMENT

COMMENT ON COLUMN crmshift.feed.source IS 'Table whose writes matter, schema-qualified.';

-- Name: COLUMN feed.key; Type: COMMENT

COMMENT ON COLUMN crmshift.feed.key IS 'Columns of the source that give the key of the mapping, in its order.';

-- Name: COLUMN feed.mode; Type: COMMENT

COMMENT ON COLUMN crmshift.feed.mode IS 'sync: the row is written anew. fill: it is only made sure to exist, as the parent of something else.';

-- Name: COLUMN feed.prepare; Type: COMMENT

COMMENT ON COLUMN crmshift.feed.prepare IS 'Function called with the keys before the row is written, e.g. to choose a primary lead.';

-- Name: COLUMN feed.reaches; Type: COMMENT

COMMENT ON COLUMN crmshift.feed.reaches IS 'Function from the keys to the subjects and keys of other rows that a write here reaches, e.g. the appointments of a lead that became primary.';

-- Name: installed; Type: TABLE

CREATE TABLE crmshift.installed (
    step text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    name text NOT NULL,
    definition text NOT NULL,
    server integer DEFAULT ((current_setting('server_version_num'::text))::integer / 10000) NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT kind_is_known CHECK ((kind = ANY (ARRAY['table'::text, 'column'::text, 'constraint'::text, 'index'::text, 'policy'::text, 'trigger'::text, 'view'::text, 'function'::text, 'legacy column'::text, 'grant'::text])))
);

-- Name: TABLE installed; Type: COMMENT

COMMENT ON TABLE crmshift.installed IS 'Objects that the steps made, as they were then. What is meant to be otherwise now: select crmshift.accept_object(kind, subject, name).';

-- Name: COLUMN installed.step; Type: COMMENT

COMMENT ON COLUMN crmshift.installed.step IS 'Step that made it, or changed it last; accepted: a person said that it is right.';

-- Name: COLUMN installed.kind; Type: COMMENT

COMMENT ON COLUMN crmshift.installed.kind IS 'legacy column: one that legacy had when its writes were attached, mapped or left behind. grant: never recorded by a step, but may be accepted.';

-- Name: COLUMN installed.subject; Type: COMMENT

COMMENT ON COLUMN crmshift.installed.subject IS 'Table, view or function, schema-qualified.';

-- Name: COLUMN installed.name; Type: COMMENT

COMMENT ON COLUMN crmshift.installed.name IS 'What stands on the table: column, constraint, index, policy, trigger, or the role that is granted something. Empty for a table, view or function.';

-- Name: COLUMN installed.definition; Type: COMMENT

COMMENT ON COLUMN crmshift.installed.definition IS 'The statement that makes it, or for a column, legacy column and grant what tells it from another one.';

-- Name: COLUMN installed.server; Type: COMMENT

COMMENT ON COLUMN crmshift.installed.server IS 'Major version of the server that worded the definition.';

-- Name: COLUMN installed.at; Type: COMMENT

COMMENT ON COLUMN crmshift.installed.at IS 'When it was recorded.';

-- Name: lead_appointments_expected; Type: VIEW

CREATE VIEW crmshift.lead_appointments_expected AS
 SELECT a.id,
    l.id AS lead_id,
    l.workspace_id,
    a.scheduled_at,
    a.apptdate,
    (a.status)::text AS status,
    a.reminder_sent
   FROM (public.appointments a
     LEFT JOIN public.leads l ON (((l.customer_id = a.contact_id) AND l.is_primary)));

-- Name: VIEW lead_appointments_expected; Type: COMMENT

COMMENT ON VIEW crmshift.lead_appointments_expected IS 'What public.lead_appointments should hold for primary leads, read from public.appointments.';

-- Name: leads_expected; Type: VIEW

CREATE VIEW crmshift.leads_expected AS
 SELECT c.id AS customer_id,
    c.workspace_id,
        CASE
            WHEN ((l.id IS NULL) AND (EXISTS ( SELECT
               FROM public.leads o
              WHERE (o.customer_id = c.id)))) THEN NULL::boolean
            ELSE true
        END AS is_primary,
    (c.lead_source)::text AS source,
    (c.lead_status)::text AS disposition,
    (c.appointment_status)::text AS appointment_status,
        CASE
            WHEN (l.id IS NULL) THEN c.created_at
            ELSE l.entrydate
        END AS entrydate,
    c.updated_at AS lastchangedon
   FROM (public.contacts c
     LEFT JOIN public.leads l ON (((l.customer_id = c.id) AND l.is_primary)))
  WHERE ((l.id IS NOT NULL) OR (c.lead_source IS NOT NULL) OR (c.lead_status IS NOT NULL) OR (c.appointment_status IS NOT NULL) OR (EXISTS ( SELECT
           FROM public.appointments a
          WHERE (a.contact_id = c.id))));

-- Name: VIEW leads_expected; Type: COMMENT

COMMENT ON VIEW crmshift.leads_expected IS 'What the primary rows of public.leads should hold, read from public.contacts.';

-- Name: mapping_reads; Type: VIEW

CREATE VIEW crmshift.mapping_reads AS
 SELECT m.name AS mapping,
    format('%s.%s'::text, n.nspname, c.relname) AS source,
    (a.attname)::text AS column_name
   FROM (((((crmshift.mapping m
     JOIN pg_rewrite r ON ((r.ev_class = (to_regclass(format('crmshift.%I'::text, (m.name || '_expected'::text))))::oid)))
     JOIN pg_depend d ON (((d.classid = ('pg_rewrite'::regclass)::oid) AND (d.objid = r.oid) AND (d.refclassid = ('pg_class'::regclass)::oid) AND (d.refobjsubid > 0))))
     JOIN pg_class c ON ((c.oid = d.refobjid)))
     JOIN pg_namespace n ON ((n.oid = c.relnamespace)))
     JOIN pg_attribute a ON (((a.attrelid = d.refobjid) AND (a.attnum = d.refobjsubid))))
  WHERE (c.oid <> r.ev_class)
  GROUP BY m.name, (format('%s.%s'::text, n.nspname, c.relname)), ((a.attname)::text);

-- Name: VIEW mapping_reads; Type: COMMENT

COMMENT ON VIEW crmshift.mapping_reads IS 'Columns each mapping view reads.';

-- Name: mapping_subject; Type: VIEW

CREATE VIEW crmshift.mapping_subject AS
 SELECT m.name AS mapping,
    m.name AS subject,
    m.key,
    m.key AS columns,
    m."position"
   FROM crmshift.mapping m
  WHERE (m.direction = 'to_legacy'::text)
UNION ALL
 SELECT m.name AS mapping,
    s.name AS subject,
    s.key,
    ARRAY( SELECT m.key[array_position(f.key, u.k)] AS key
           FROM unnest(s.key) WITH ORDINALITY u(k, i)
          ORDER BY u.i) AS columns,
    s."position"
   FROM ((crmshift.mapping m
     JOIN crmshift.feed f ON (((f.mapping = m.name) AND (f.mode = 'sync'::text))))
     JOIN crmshift.mapping s ON (((s.direction = 'to_legacy'::text) AND (s.target = f.source) AND (s.key <@ f.key))))
  WHERE (m.direction = 'to_target'::text);

-- Name: VIEW mapping_subject; Type: COMMENT

COMMENT ON VIEW crmshift.mapping_subject IS 'Which subject a row of a mapping is about: columns of the mapping that give the subject''s key, in its order.';

-- Name: primary_lead_rule; Type: TABLE

CREATE TABLE crmshift.primary_lead_rule (
    only_row boolean DEFAULT true NOT NULL,
    choose text DEFAULT 'oldest'::text NOT NULL,
    closed text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT choice_is_known CHECK ((choose = ANY (ARRAY['oldest'::text, 'newest'::text]))),
    CONSTRAINT closed_dispositions_are_named CHECK ((array_position(closed, NULL::text) IS NULL)),
    CONSTRAINT there_is_one_rule CHECK (only_row)
);

-- Name: TABLE primary_lead_rule; Type: COMMENT

COMMENT ON TABLE crmshift.primary_lead_rule IS 'Which lead becomes the primary one where the application chose none. One row: update crmshift.primary_lead_rule set closed = ''{won,lost}''.';

-- Name: COLUMN primary_lead_rule.choose; Type: COMMENT

COMMENT ON COLUMN crmshift.primary_lead_rule.choose IS 'oldest or newest, by leads.entrydate, then by id.';

-- Name: COLUMN primary_lead_rule.closed; Type: COMMENT

COMMENT ON COLUMN crmshift.primary_lead_rule.closed IS 'Dispositions that close a lead, verbatim. Open leads go before closed ones; a primary lead that is closed on the target makes way for an open one. Empty: never.';

-- Name: primary_lead_wanted; Type: TABLE

CREATE TABLE crmshift.primary_lead_wanted (
    id bigint NOT NULL,
    txid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    customer_ids uuid[] NOT NULL,
    demoted uuid,
    closed boolean DEFAULT false NOT NULL
);

-- Name: TABLE primary_lead_wanted; Type: COMMENT

COMMENT ON TABLE crmshift.primary_lead_wanted IS 'What a transaction has to look at when it commits. Empty in every committed state: the transaction that writes a row here takes it away.';

-- Name: COLUMN primary_lead_wanted.txid; Type: COMMENT

COMMENT ON COLUMN crmshift.primary_lead_wanted.txid IS 'Transaction that wrote it.';

-- Name: COLUMN primary_lead_wanted.customer_ids; Type: COMMENT

COMMENT ON COLUMN crmshift.primary_lead_wanted.customer_ids IS 'Customers that may be left without a primary lead.';

-- Name: COLUMN primary_lead_wanted.demoted; Type: COMMENT

COMMENT ON COLUMN crmshift.primary_lead_wanted.demoted IS 'Lead that the application demoted: elected only where there is no other.';

-- Name: COLUMN primary_lead_wanted.closed; Type: COMMENT

COMMENT ON COLUMN crmshift.primary_lead_wanted.closed IS 'The primary lead was closed: an open one is to take its place.';

-- Name: primary_lead_wanted_id_seq; Type: SEQUENCE

ALTER TABLE crmshift.primary_lead_wanted ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME crmshift.primary_lead_wanted_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: repair_key; Type: TABLE

CREATE TABLE crmshift.repair_key (
    id bigint NOT NULL,
    run bigint NOT NULL,
    mapping text NOT NULL,
    kind text NOT NULL,
    key jsonb NOT NULL
);

-- Name: TABLE repair_key; Type: COMMENT

COMMENT ON TABLE crmshift.repair_key IS 'Keys that a repair has still to hand to the writers. Each goes when it is handed over, in the same transaction.';

-- Name: COLUMN repair_key.kind; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_key.kind IS 'missing, extra or differs, as crmshift.drift() says.';

-- Name: repair_key_id_seq; Type: SEQUENCE

ALTER TABLE crmshift.repair_key ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME crmshift.repair_key_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: repair_log_id_seq; Type: SEQUENCE

ALTER TABLE crmshift.repair_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME crmshift.repair_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: repair_run; Type: TABLE

CREATE TABLE crmshift.repair_run (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    side text NOT NULL,
    workspace_id uuid,
    planned jsonb DEFAULT '{}'::jsonb NOT NULL,
    actor text DEFAULT SESSION_USER NOT NULL,
    finished_at timestamp with time zone,
    undone_at timestamp with time zone,
    CONSTRAINT side_is_known CHECK ((side = ANY (ARRAY['legacy'::text, 'target'::text])))
);

-- Name: TABLE repair_run; Type: COMMENT

COMMENT ON TABLE crmshift.repair_run IS 'Each repair. To forget one, and the values of customers in its log: delete it.';

-- Name: COLUMN repair_run.at; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_run.at IS 'When it began.';

-- Name: COLUMN repair_run.side; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_run.side IS 'Side that was taken to be right.';

-- Name: COLUMN repair_run.workspace_id; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_run.workspace_id IS 'The workspace it was restricted to; null for all.';

-- Name: COLUMN repair_run.planned; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_run.planned IS 'Keys that drifted when it began, as {mapping: {kind: number}}.';

-- Name: COLUMN repair_run.actor; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_run.actor IS 'Database role that ran it.';

-- Name: COLUMN repair_run.finished_at; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_run.finished_at IS 'When it ended; null where it was interrupted: the next one begins anew.';

-- Name: COLUMN repair_run.undone_at; Type: COMMENT

COMMENT ON COLUMN crmshift.repair_run.undone_at IS 'When all that could be was taken back.';

-- Name: repair_run_id_seq; Type: SEQUENCE

ALTER TABLE crmshift.repair_run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME crmshift.repair_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: source_subject; Type: VIEW

CREATE VIEW crmshift.source_subject AS
 SELECT m.target AS source,
    'legacy'::text AS side,
    m.name AS subject,
    m.key,
    m.key AS columns,
    'sync'::text AS mode,
    true AS whole,
    m."position"
   FROM crmshift.mapping m
  WHERE (m.direction = 'to_legacy'::text)
UNION
 SELECT f.source,
        CASE m.direction
            WHEN 'to_target'::text THEN 'legacy'::text
            ELSE 'target'::text
        END AS side,
    s.subject,
    s.key,
    c.columns,
    f.mode,
    (EXISTS ( SELECT
           FROM crmshift.mapping own
          WHERE ((own.target = f.source) AND (own.conflict_where IS NULL) AND (own.key = c.columns)))) AS whole,
    s."position"
   FROM (((crmshift.feed f
     JOIN crmshift.mapping m ON ((m.name = f.mapping)))
     JOIN crmshift.mapping_subject s ON ((s.mapping = m.name)))
     CROSS JOIN LATERAL ( SELECT ARRAY( SELECT f.key[array_position(m.key, u.k)] AS key
                   FROM unnest(s.columns) WITH ORDINALITY u(k, i)
                  ORDER BY u.i) AS "array") c(columns));

-- Name: VIEW source_subject; Type: COMMENT

COMMENT ON VIEW crmshift.source_subject IS 'Which subjects a write on a table is about: columns of the table that give the subject''s key, in its order. mode fill: as a parent only. whole: a row of the table is a row of the subject, not one of several.';

-- Name: step_run; Type: TABLE

CREATE TABLE crmshift.step_run (
    id bigint NOT NULL,
    run_id uuid NOT NULL,
    phase text NOT NULL,
    step text NOT NULL,
    action text NOT NULL,
    event text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    duration interval,
    checksum text,
    statements text[],
    undo text[],
    sqlstate text,
    message text,
    hint text,
    actor text DEFAULT SESSION_USER NOT NULL,
    application text DEFAULT current_setting('application_name'::text) NOT NULL,
    version text NOT NULL,
    CONSTRAINT action_is_known CHECK ((action = ANY (ARRAY['apply'::text, 'undo'::text]))),
    CONSTRAINT event_is_known CHECK ((event = ANY (ARRAY['started'::text, 'finished'::text, 'failed'::text]))),
    CONSTRAINT failure_has_a_message CHECK (((event = 'failed'::text) = (message IS NOT NULL)))
);

-- Name: TABLE step_run; Type: COMMENT

COMMENT ON TABLE crmshift.step_run IS 'Ledger, append-only: one row for each thing that happened to a step. The current state is the view step_state.';

-- Name: COLUMN step_run.run_id; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.run_id IS 'One invocation of crmshift.';

-- Name: COLUMN step_run.phase; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.phase IS 'Phase of the plan the step belongs to.';

-- Name: COLUMN step_run.step; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.step IS 'Name of the step in the plan.';

-- Name: COLUMN step_run.action; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.action IS 'apply: carried out. undo: taken back.';

-- Name: COLUMN step_run.event; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.event IS 'started: a step of many transactions began. finished: committed together with the change it records. failed: rolled back.';

-- Name: COLUMN step_run.at; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.at IS 'Wall clock when the row was written.';

-- Name: COLUMN step_run.duration; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.duration IS 'How long the step took; null where it only started.';

-- Name: COLUMN step_run.checksum; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.checksum IS 'SHA-256 of the statements, as plan printed them.';

-- Name: COLUMN step_run.statements; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.statements IS 'The statements that were executed, in order.';

-- Name: COLUMN step_run.undo; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.undo IS 'The statements that take it back, as they stood when it was applied; rollback executes these.';

-- Name: COLUMN step_run.sqlstate; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.sqlstate IS 'SQLSTATE of the failure.';

-- Name: COLUMN step_run.message; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.message IS 'What went wrong, without values of customers.';

-- Name: COLUMN step_run.hint; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.hint IS 'What to do about it.';

-- Name: COLUMN step_run.actor; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.actor IS 'Database role that ran it.';

-- Name: COLUMN step_run.application; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.application IS 'application_name of the session.';

-- Name: COLUMN step_run.version; Type: COMMENT

COMMENT ON COLUMN crmshift.step_run.version IS 'Version of crmshift.';

-- Name: step_run_id_seq; Type: SEQUENCE

ALTER TABLE crmshift.step_run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME crmshift.step_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: step_state; Type: VIEW

CREATE VIEW crmshift.step_state AS
 SELECT DISTINCT ON (phase, step) phase,
    step,
        CASE
            WHEN ((action = 'apply'::text) AND (event = 'finished'::text)) THEN 'applied'::text
            WHEN ((action = 'apply'::text) AND (event = 'started'::text)) THEN 'running'::text
            WHEN ((action = 'apply'::text) AND (event = 'failed'::text)) THEN 'failed'::text
            WHEN ((action = 'undo'::text) AND (event = 'finished'::text)) THEN 'pending'::text
            ELSE 'undo failed'::text
        END AS state,
    checksum,
    at,
    run_id
   FROM crmshift.step_run
  ORDER BY phase, step, id DESC;

-- Name: VIEW step_state; Type: COMMENT

COMMENT ON VIEW crmshift.step_state IS 'Where each step stands: applied, running (or interrupted), failed, pending (undone), undo failed.';

-- Name: sync_control; Type: TABLE

CREATE TABLE crmshift.sync_control (
    entity text NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    mode text DEFAULT 'immediate'::text NOT NULL,
    on_error text DEFAULT 'queue'::text NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    why text,
    changed_by text DEFAULT SESSION_USER NOT NULL,
    changed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT mode_is_known CHECK ((mode = ANY (ARRAY['immediate'::text, 'queued'::text]))),
    CONSTRAINT on_error_is_known CHECK ((on_error = ANY (ARRAY['queue'::text, 'raise'::text])))
);

-- Name: TABLE sync_control; Type: COMMENT

COMMENT ON TABLE crmshift.sync_control IS 'How the sync of an entity works. An entity without a row is synced at once, and what fails is queued.';

-- Name: COLUMN sync_control.entity; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_control.entity IS 'Entity, as in crmshift.mapping.';

-- Name: COLUMN sync_control.paused; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_control.paused IS 'Writes are queued, and nothing drains the queue.';

-- Name: COLUMN sync_control.mode; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_control.mode IS 'immediate: the other side is written in the same transaction. queued: later, by whoever drains the queue.';

-- Name: COLUMN sync_control.on_error; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_control.on_error IS 'queue: a write whose sync fails is queued. raise: it fails.';

-- Name: COLUMN sync_control.epoch; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_control.epoch IS 'crmshift.sync_epoch when the row was last changed.';

-- Name: COLUMN sync_control.why; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_control.why IS 'What the operator said.';

-- Name: COLUMN sync_control.changed_by; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_control.changed_by IS 'Who changed it last.';

-- Name: COLUMN sync_control.changed_at; Type: COMMENT

COMMENT ON COLUMN crmshift.sync_control.changed_at IS 'When.';

-- Name: sync_epoch; Type: SEQUENCE

CREATE SEQUENCE crmshift.sync_epoch
    START WITH 0
    INCREMENT BY 1
    MINVALUE 0
    NO MAXVALUE
    CACHE 1;

-- Name: SEQUENCE sync_epoch; Type: COMMENT

COMMENT ON SEQUENCE crmshift.sync_epoch IS 'Counts changes of crmshift.sync_control, visible at once and to every snapshot.';

-- Name: sync_queue_id_seq; Type: SEQUENCE

ALTER TABLE crmshift.sync_queue ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME crmshift.sync_queue_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: target_table; Type: VIEW

CREATE VIEW crmshift.target_table AS
 SELECT DISTINCT subject AS name,
    to_regclass(subject) AS relid
   FROM crmshift.installed i
  WHERE ((kind = 'table'::text) AND (subject !~~ 'crmshift.%'::text) AND (to_regclass(subject) IS NOT NULL));

-- Name: VIEW target_table; Type: COMMENT

COMMENT ON VIEW crmshift.target_table IS 'Tables outside of crmshift''s own schema that the steps made: the lead-centric side.';

-- Name: validation_position; Type: VIEW

CREATE VIEW crmshift.validation_position AS
 SELECT ( SELECT encode(sha256(convert_to(string_agg(format('%s %s'::text, s.step, s.checksum), '
'::text ORDER BY s.step), 'UTF8'::name)), 'hex'::text) AS encode
           FROM crmshift.step_state s
          WHERE ((s.state = 'applied'::text) AND (s.step !~~ 'validate/%'::text))) AS plan,
    ( SELECT max(step_run.id) AS max
           FROM crmshift.step_run) AS ledger,
    pg_snapshot_xmin(pg_current_snapshot()) AS horizon,
    ( SELECT pg_control_system.system_identifier
           FROM pg_control_system() pg_control_system(pg_control_version, catalog_version_no, system_identifier, pg_control_last_modified)) AS server,
    ( SELECT (sum(((pg_stat_get_tuples_inserted((p.relid)::oid) + pg_stat_get_tuples_updated((p.relid)::oid)) + pg_stat_get_tuples_deleted((p.relid)::oid))))::bigint AS sum
           FROM ( SELECT t.relid
                   FROM ( SELECT to_regclass(mapping.target) AS relid
                           FROM crmshift.mapping) t
                UNION
                 SELECT l.relid
                   FROM crmshift.mapping m,
                    LATERAL pg_partition_tree(to_regclass(m.target)) l(relid, parentrelid, isleaf, level)) p
          WHERE (current_setting('track_counts'::text))::boolean) AS writes,
    ( SELECT d.stats_reset
           FROM pg_stat_database d
          WHERE (d.datname = current_database())) AS stats_reset;

-- Name: VIEW validation_position; Type: COMMENT

COMMENT ON VIEW crmshift.validation_position IS 'Where the database stands, as a validation notes it: fingerprint of the applied plan, last entry of the ledger, oldest transaction still running, and rows ever written in mapped tables as PostgreSQL counts them.';

-- Name: validation_run; Type: TABLE

CREATE TABLE crmshift.validation_run (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    workspace_id uuid,
    since bigint,
    sample double precision,
    standby_lag double precision,
    complete boolean GENERATED ALWAYS AS (((workspace_id IS NULL) AND (since IS NULL) AND (sample IS NULL))) STORED NOT NULL,
    clean boolean NOT NULL,
    fail_under double precision NOT NULL,
    accuracies jsonb NOT NULL,
    drifted bigint NOT NULL,
    outstanding bigint NOT NULL,
    findings jsonb NOT NULL,
    plan text,
    ledger bigint,
    horizon xid8 NOT NULL,
    server bigint NOT NULL,
    writes bigint,
    stats_reset timestamp with time zone,
    duration interval NOT NULL,
    actor text DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT sample_is_a_percentage CHECK (((sample > (0)::double precision) AND (sample < (100)::double precision)))
);

-- Name: TABLE validation_run; Type: COMMENT

COMMENT ON TABLE crmshift.validation_run IS 'Each run of crmshift validate and what it found.';

-- Name: COLUMN validation_run.at; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.at IS 'When it ended.';

-- Name: COLUMN validation_run.workspace_id; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.workspace_id IS 'The workspace it was restricted to; null for all.';

-- Name: COLUMN validation_run.since; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.since IS 'The run whose later writes alone were compared; null for all rows.';

-- Name: COLUMN validation_run.sample; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.sample IS 'Percent of the keys that were compared; null for all.';

-- Name: COLUMN validation_run.standby_lag; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.standby_lag IS 'Seconds the standby it read was behind; null where it read the primary.';

-- Name: COLUMN validation_run.complete; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.complete IS 'Whether it looked at everything. Only such a run opens a gate.';

-- Name: COLUMN validation_run.clean; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.clean IS 'Whether it passed.';

-- Name: COLUMN validation_run.fail_under; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.fail_under IS 'Accuracy in percent that was demanded.';

-- Name: COLUMN validation_run.accuracies; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.accuracies IS 'Rows and agreeing rows by entity.';

-- Name: COLUMN validation_run.drifted; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.drifted IS 'Rows that differ from their mapping and do not stand in the sync queue.';

-- Name: COLUMN validation_run.outstanding; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.outstanding IS 'Rows that differ and stand in the sync queue.';

-- Name: COLUMN validation_run.findings; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.findings IS 'Number of findings by check; zero where it passed.';

-- Name: COLUMN validation_run.plan; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.plan IS 'Fingerprint of the steps that were applied then.';

-- Name: COLUMN validation_run.ledger; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.ledger IS 'Last entry of the ledger then.';

-- Name: COLUMN validation_run.horizon; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.horizon IS 'Oldest transaction that was still running when it began: what older ones wrote it has seen.';

-- Name: COLUMN validation_run.server; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.server IS 'System identifier of the cluster; transactions of another one say nothing.';

-- Name: COLUMN validation_run.writes; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.writes IS 'Rows ever written in mapped tables by PostgreSQL''s statistics, when it began; null where they are not counted.';

-- Name: COLUMN validation_run.stats_reset; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.stats_reset IS 'When those statistics were last reset.';

-- Name: COLUMN validation_run.duration; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.duration IS 'How long it took.';

-- Name: COLUMN validation_run.actor; Type: COMMENT

COMMENT ON COLUMN crmshift.validation_run.actor IS 'Database role that ran it.';

-- Name: validation_run_id_seq; Type: SEQUENCE

ALTER TABLE crmshift.validation_run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME crmshift.validation_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: validation_state; Type: VIEW

CREATE VIEW crmshift.validation_state AS
 SELECT r.id,
    r.at,
    r.workspace_id,
    r.since,
    r.sample,
    r.standby_lag,
    r.complete,
    r.clean,
    r.fail_under,
    r.accuracies,
    r.drifted,
    r.outstanding,
    r.findings,
    r.plan,
    r.ledger,
    r.horizon,
    r.server,
    r.writes,
    r.stats_reset,
    r.duration,
    r.actor,
    (clock_timestamp() - r.at) AS age,
        CASE
            WHEN ((NOT (p.stats_reset IS DISTINCT FROM r.stats_reset)) AND (p.writes >= r.writes)) THEN (p.writes - r.writes)
            ELSE NULL::bigint
        END AS writes_since,
    (NOT (r.plan IS DISTINCT FROM p.plan)) AS same_plan,
    ((r.server = p.server) AND (p.horizon >= r.horizon) AND ((((pg_snapshot_xmax(pg_current_snapshot()))::text)::numeric - ((r.horizon)::text)::numeric) < (2000000000)::numeric)) AS comparable
   FROM (crmshift.validation_run r
     CROSS JOIN crmshift.validation_position p);

-- Name: VIEW validation_state; Type: COMMENT

COMMENT ON VIEW crmshift.validation_state IS 'Results of validate and how stale they are: age, rows written in mapped tables since (null: not known), whether the plan is the same, and whether transactions can still be compared with those of then.';

-- Name: custom_fields; Type: TABLE

CREATE TABLE public.custom_fields (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    field_type text DEFAULT 'text'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now()
);

-- Name: TABLE custom_fields; Type: COMMENT

COMMENT ON TABLE public.custom_fields IS 'Definition of a custom field of a workspace.';

-- Name: workspaces; Type: TABLE

CREATE TABLE public.workspaces (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now()
);

-- Name: TABLE workspaces; Type: COMMENT

COMMENT ON TABLE public.workspaces IS 'A tenant: one company, with its own contacts and fields.';

-- Name: archive archive_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.archive
    ADD CONSTRAINT archive_pkey PRIMARY KEY (id);

-- Name: backfill_control backfill_control_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.backfill_control
    ADD CONSTRAINT backfill_control_pkey PRIMARY KEY (only_row);

-- Name: backfill_range backfill_range_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.backfill_range
    ADD CONSTRAINT backfill_range_pkey PRIMARY KEY (walk, number);

-- Name: backfill_reading backfill_reading_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.backfill_reading
    ADD CONSTRAINT backfill_reading_pkey PRIMARY KEY (signal);

-- Name: backfill_signal backfill_signal_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.backfill_signal
    ADD CONSTRAINT backfill_signal_pkey PRIMARY KEY (signal);

-- Name: backfill_walk backfill_walk_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.backfill_walk
    ADD CONSTRAINT backfill_walk_pkey PRIMARY KEY (id);

-- Name: capture capture_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.capture
    ADD CONSTRAINT capture_pkey PRIMARY KEY (source, operation);

-- Name: comparison comparison_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.comparison
    ADD CONSTRAINT comparison_pkey PRIMARY KEY (mapping, column_name);

-- Name: conflict_log conflict_log_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.conflict_log
    ADD CONSTRAINT conflict_log_pkey PRIMARY KEY (id);

-- Name: conflict_policy conflict_policy_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.conflict_policy
    ADD CONSTRAINT conflict_policy_pkey PRIMARY KEY (subject, conflict, columns);

-- Name: feed feed_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.feed
    ADD CONSTRAINT feed_pkey PRIMARY KEY (mapping, source);

-- Name: installed installed_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.installed
    ADD CONSTRAINT installed_pkey PRIMARY KEY (step, kind, subject, name);

-- Name: mapping mapping_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.mapping
    ADD CONSTRAINT mapping_pkey PRIMARY KEY (name);

-- Name: backfill_walk one_walk_for_each_table_and_workspace; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.backfill_walk
    ADD CONSTRAINT one_walk_for_each_table_and_workspace UNIQUE NULLS NOT DISTINCT (source, workspace_id);

-- Name: mapping position_is_unique; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.mapping
    ADD CONSTRAINT position_is_unique UNIQUE (direction, "position");

-- Name: primary_lead_rule primary_lead_rule_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.primary_lead_rule
    ADD CONSTRAINT primary_lead_rule_pkey PRIMARY KEY (only_row);

-- Name: primary_lead_wanted primary_lead_wanted_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.primary_lead_wanted
    ADD CONSTRAINT primary_lead_wanted_pkey PRIMARY KEY (id);

-- Name: repair_key repair_key_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.repair_key
    ADD CONSTRAINT repair_key_pkey PRIMARY KEY (id);

-- Name: repair_log repair_log_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.repair_log
    ADD CONSTRAINT repair_log_pkey PRIMARY KEY (id);

-- Name: repair_run repair_run_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.repair_run
    ADD CONSTRAINT repair_run_pkey PRIMARY KEY (id);

-- Name: step_run step_run_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.step_run
    ADD CONSTRAINT step_run_pkey PRIMARY KEY (id);

-- Name: sync_control sync_control_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.sync_control
    ADD CONSTRAINT sync_control_pkey PRIMARY KEY (entity);

-- Name: sync_queue sync_queue_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.sync_queue
    ADD CONSTRAINT sync_queue_pkey PRIMARY KEY (id);

-- Name: validation_run validation_run_pkey; Type: CONSTRAINT

ALTER TABLE ONLY crmshift.validation_run
    ADD CONSTRAINT validation_run_pkey PRIMARY KEY (id);

-- Name: appointment_custom_fields appointment_custom_fields_pkey; Type: CONSTRAINT

ALTER TABLE ONLY public.appointment_custom_fields
    ADD CONSTRAINT appointment_custom_fields_pkey PRIMARY KEY (appointment_id, field_id);

-- Name: lead_appointments appointment_is_known_by_workspace; Type: CONSTRAINT

ALTER TABLE ONLY public.lead_appointments
    ADD CONSTRAINT appointment_is_known_by_workspace UNIQUE (workspace_id, id);

-- Name: appointments appointments_pkey; Type: CONSTRAINT

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_pkey PRIMARY KEY (id);

-- Name: contact_custom_fields contact_custom_fields_pkey; Type: CONSTRAINT

ALTER TABLE ONLY public.contact_custom_fields
    ADD CONSTRAINT contact_custom_fields_pkey PRIMARY KEY (contact_id, field_id);

-- Name: contacts contacts_pkey; Type: CONSTRAINT

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_pkey PRIMARY KEY (id);

-- Name: custom_fields custom_fields_pkey; Type: CONSTRAINT

ALTER TABLE ONLY public.custom_fields
    ADD CONSTRAINT custom_fields_pkey PRIMARY KEY (id);

-- Name: customer_custom_fields customer_custom_fields_pkey; Type: CONSTRAINT

ALTER TABLE ONLY public.customer_custom_fields
    ADD CONSTRAINT customer_custom_fields_pkey PRIMARY KEY (customer_id, field_id);

-- Name: customers customer_is_known_by_workspace; Type: CONSTRAINT

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customer_is_known_by_workspace UNIQUE (workspace_id, cst_id);

-- Name: customers customers_pkey; Type: CONSTRAINT

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (cst_id);

-- Name: lead_appointments lead_appointments_pkey; Type: CONSTRAINT

ALTER TABLE ONLY public.lead_appointments
    ADD CONSTRAINT lead_appointments_pkey PRIMARY KEY (id);

-- Name: lead_custom_fields lead_custom_fields_pkey; Type: CONSTRAINT

ALTER TABLE ONLY public.lead_custom_fields
    ADD CONSTRAINT lead_custom_fields_pkey PRIMARY KEY (lead_id, field_id);

-- Name: leads lead_is_known_by_workspace; Type: CONSTRAINT

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT lead_is_known_by_workspace UNIQUE (workspace_id, id);

-- Name: leads leads_pkey; Type: CONSTRAINT

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_pkey PRIMARY KEY (id);

-- Name: workspaces workspaces_pkey; Type: CONSTRAINT

ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_pkey PRIMARY KEY (id);

-- Name: conflict_log_open_idx; Type: INDEX

CREATE INDEX conflict_log_open_idx ON crmshift.conflict_log USING btree (subject, key) WHERE (winner IS NULL);

-- Name: repair_key_next_idx; Type: INDEX

CREATE INDEX repair_key_next_idx ON crmshift.repair_key USING btree (run, mapping, kind, id);

-- Name: repair_log_batch_idx; Type: INDEX

CREATE INDEX repair_log_batch_idx ON crmshift.repair_log USING btree (run, txid);

-- Name: repair_log_left_idx; Type: INDEX

CREATE INDEX repair_log_left_idx ON crmshift.repair_log USING btree (run, id) WHERE (outcome IS NULL);

-- Name: sync_queue_key_idx; Type: INDEX

CREATE INDEX sync_queue_key_idx ON crmshift.sync_queue USING btree (subject, key);

-- Name: sync_queue_nested_idx; Type: INDEX

CREATE INDEX sync_queue_nested_idx ON crmshift.sync_queue USING btree (txid) WHERE (reason = 'nested'::text);

-- Name: appointment_custom_fields_appointment_idx; Type: INDEX

CREATE INDEX appointment_custom_fields_appointment_idx ON public.appointment_custom_fields USING btree (workspace_id, appointment_id);

-- Name: appointment_custom_fields_field_idx; Type: INDEX

CREATE INDEX appointment_custom_fields_field_idx ON public.appointment_custom_fields USING btree (workspace_id, field_id);

-- Name: appointments_contact_id_idx; Type: INDEX

CREATE INDEX appointments_contact_id_idx ON public.appointments USING btree (contact_id);

-- Name: contacts_email_idx; Type: INDEX

CREATE INDEX contacts_email_idx ON public.contacts USING btree (lower((email)::text));

-- Name: contacts_workspace_id_idx; Type: INDEX

CREATE INDEX contacts_workspace_id_idx ON public.contacts USING btree (workspace_id);

-- Name: customer_custom_fields_customer_idx; Type: INDEX

CREATE INDEX customer_custom_fields_customer_idx ON public.customer_custom_fields USING btree (workspace_id, customer_id);

-- Name: customer_custom_fields_field_idx; Type: INDEX

CREATE INDEX customer_custom_fields_field_idx ON public.customer_custom_fields USING btree (workspace_id, field_id);

-- Name: customer_has_one_primary_lead; Type: INDEX

CREATE UNIQUE INDEX customer_has_one_primary_lead ON public.leads USING btree (customer_id) WHERE is_primary;

-- Name: customers_email_idx; Type: INDEX

CREATE INDEX customers_email_idx ON public.customers USING btree (workspace_id, lower(email));

-- Name: customers_phone1_idx; Type: INDEX

CREATE INDEX customers_phone1_idx ON public.customers USING btree (workspace_id, phone1);

-- Name: lead_appointments_apptdate_idx; Type: INDEX

CREATE INDEX lead_appointments_apptdate_idx ON public.lead_appointments USING btree (workspace_id, apptdate);

-- Name: lead_appointments_lead_idx; Type: INDEX

CREATE INDEX lead_appointments_lead_idx ON public.lead_appointments USING btree (lead_id, workspace_id);

-- Name: lead_custom_fields_field_idx; Type: INDEX

CREATE INDEX lead_custom_fields_field_idx ON public.lead_custom_fields USING btree (workspace_id, field_id);

-- Name: lead_custom_fields_lead_idx; Type: INDEX

CREATE INDEX lead_custom_fields_lead_idx ON public.lead_custom_fields USING btree (workspace_id, lead_id);

-- Name: leads_customer_id_idx; Type: INDEX

CREATE INDEX leads_customer_id_idx ON public.leads USING btree (customer_id, workspace_id);

-- Name: leads_disposition_idx; Type: INDEX

CREATE INDEX leads_disposition_idx ON public.leads USING btree (workspace_id, disposition);

-- Name: leads_stage_idx; Type: INDEX

CREATE INDEX leads_stage_idx ON public.leads USING btree (workspace_id, stg_id) WHERE (stg_id IS NOT NULL);

-- Name: backfill _RETURN; Type: RULE

CREATE OR REPLACE VIEW crmshift.backfill AS
 WITH w AS (
         SELECT w_1.id,
            w_1.source,
            w_1.workspace_id,
            w_1.upper_key,
            w_1.rows_total,
            w_1.started_at,
            (COALESCE(sum(r.rows_done), (0)::numeric))::bigint AS rows_done,
            (COALESCE(sum(r.written), (0)::numeric))::bigint AS written,
            (COALESCE(sum(r.queued), (0)::numeric))::bigint AS queued,
            (COALESCE(sum(r.batches), (0)::numeric))::bigint AS batches,
            (count(r.number))::integer AS ranges,
            (count(r.finished_at))::integer AS ranges_finished,
            max(r.updated_at) AS updated_at,
                CASE
                    WHEN (count(r.number) = count(r.finished_at)) THEN COALESCE(max(r.finished_at), w_1.started_at)
                    ELSE NULL::timestamp with time zone
                END AS finished_at
           FROM (crmshift.backfill_walk w_1
             LEFT JOIN crmshift.backfill_range r ON ((r.walk = w_1.id)))
          GROUP BY w_1.id
        )
 SELECT w.source,
    w.workspace_id,
    w.upper_key,
    w.rows_total,
    w.rows_done,
    w.written,
    w.queued,
    w.batches,
    w.ranges,
    w.ranges_finished,
    w.started_at,
    w.updated_at,
    COALESCE(w.finished_at, everything.finished_at) AS finished_at
   FROM (w
     LEFT JOIN w everything ON (((everything.source = w.source) AND (everything.workspace_id IS NULL))));

-- Name: primary_lead_wanted customer_with_leads_has_a_primary_one; Type: TRIGGER

CREATE CONSTRAINT TRIGGER customer_with_leads_has_a_primary_one AFTER INSERT ON crmshift.primary_lead_wanted DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crmshift.tg_elect_primary_lead();

-- Name: primary_lead_rule rule_is_applied; Type: TRIGGER

CREATE TRIGGER rule_is_applied AFTER INSERT OR UPDATE ON crmshift.primary_lead_rule FOR EACH ROW EXECUTE FUNCTION crmshift.tg_apply_primary_lead_rule();

-- Name: backfill_control stamp; Type: TRIGGER

CREATE TRIGGER stamp BEFORE UPDATE ON crmshift.backfill_control FOR EACH ROW EXECUTE FUNCTION crmshift.tg_backfill_control();

-- Name: leads crmshift_ask_primary_lead; Type: TRIGGER

CREATE TRIGGER crmshift_ask_primary_lead BEFORE UPDATE OF is_primary ON public.leads FOR EACH ROW WHEN ((new.is_primary AND (NOT old.is_primary))) EXECUTE FUNCTION crmshift.tg_ask_primary_lead();

-- Name: appointments crmshift_sync_delete; Type: TRIGGER

CREATE TRIGGER crmshift_sync_delete AFTER DELETE ON public.appointments REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_appointments();

-- Name: contact_custom_fields crmshift_sync_delete; Type: TRIGGER

CREATE TRIGGER crmshift_sync_delete AFTER DELETE ON public.contact_custom_fields REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_contact_custom_fields();

-- Name: contacts crmshift_sync_delete; Type: TRIGGER

CREATE TRIGGER crmshift_sync_delete AFTER DELETE ON public.contacts REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_contacts();

-- Name: customer_custom_fields crmshift_sync_delete; Type: TRIGGER

CREATE TRIGGER crmshift_sync_delete AFTER DELETE ON public.customer_custom_fields REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_customer_custom_fields();

-- Name: customers crmshift_sync_delete; Type: TRIGGER

CREATE TRIGGER crmshift_sync_delete AFTER DELETE ON public.customers REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_customers();

-- Name: lead_appointments crmshift_sync_delete; Type: TRIGGER

CREATE TRIGGER crmshift_sync_delete AFTER DELETE ON public.lead_appointments REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_lead_appointments();

-- Name: leads crmshift_sync_delete; Type: TRIGGER

CREATE TRIGGER crmshift_sync_delete AFTER DELETE ON public.leads REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_leads();

-- Name: appointments crmshift_sync_insert; Type: TRIGGER

CREATE TRIGGER crmshift_sync_insert AFTER INSERT ON public.appointments REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_appointments();

-- Name: contact_custom_fields crmshift_sync_insert; Type: TRIGGER

CREATE TRIGGER crmshift_sync_insert AFTER INSERT ON public.contact_custom_fields REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_contact_custom_fields();

-- Name: contacts crmshift_sync_insert; Type: TRIGGER

CREATE TRIGGER crmshift_sync_insert AFTER INSERT ON public.contacts REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_contacts();

-- Name: customer_custom_fields crmshift_sync_insert; Type: TRIGGER

CREATE TRIGGER crmshift_sync_insert AFTER INSERT ON public.customer_custom_fields REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_customer_custom_fields();

-- Name: customers crmshift_sync_insert; Type: TRIGGER

CREATE TRIGGER crmshift_sync_insert AFTER INSERT ON public.customers REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_customers();

-- Name: lead_appointments crmshift_sync_insert; Type: TRIGGER

CREATE TRIGGER crmshift_sync_insert AFTER INSERT ON public.lead_appointments REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_lead_appointments();

-- Name: leads crmshift_sync_insert; Type: TRIGGER

CREATE TRIGGER crmshift_sync_insert AFTER INSERT ON public.leads REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_leads();

-- Name: appointments crmshift_sync_truncate; Type: TRIGGER

CREATE TRIGGER crmshift_sync_truncate AFTER TRUNCATE ON public.appointments FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_appointments();

-- Name: contact_custom_fields crmshift_sync_truncate; Type: TRIGGER

CREATE TRIGGER crmshift_sync_truncate AFTER TRUNCATE ON public.contact_custom_fields FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_contact_custom_fields();

-- Name: contacts crmshift_sync_truncate; Type: TRIGGER

CREATE TRIGGER crmshift_sync_truncate AFTER TRUNCATE ON public.contacts FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_contacts();

-- Name: customer_custom_fields crmshift_sync_truncate; Type: TRIGGER

CREATE TRIGGER crmshift_sync_truncate AFTER TRUNCATE ON public.customer_custom_fields FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_customer_custom_fields();

-- Name: customers crmshift_sync_truncate; Type: TRIGGER

CREATE TRIGGER crmshift_sync_truncate AFTER TRUNCATE ON public.customers FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_customers();

-- Name: lead_appointments crmshift_sync_truncate; Type: TRIGGER

CREATE TRIGGER crmshift_sync_truncate AFTER TRUNCATE ON public.lead_appointments FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_lead_appointments();

-- Name: leads crmshift_sync_truncate; Type: TRIGGER

CREATE TRIGGER crmshift_sync_truncate AFTER TRUNCATE ON public.leads FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_leads();

-- Name: appointments crmshift_sync_update; Type: TRIGGER

CREATE TRIGGER crmshift_sync_update AFTER UPDATE ON public.appointments REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_appointments();

-- Name: contact_custom_fields crmshift_sync_update; Type: TRIGGER

CREATE TRIGGER crmshift_sync_update AFTER UPDATE ON public.contact_custom_fields REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_contact_custom_fields();

-- Name: contacts crmshift_sync_update; Type: TRIGGER

CREATE TRIGGER crmshift_sync_update AFTER UPDATE ON public.contacts REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_contacts();

-- Name: customer_custom_fields crmshift_sync_update; Type: TRIGGER

CREATE TRIGGER crmshift_sync_update AFTER UPDATE ON public.customer_custom_fields REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_customer_custom_fields();

-- Name: customers crmshift_sync_update; Type: TRIGGER

CREATE TRIGGER crmshift_sync_update AFTER UPDATE ON public.customers REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_customers();

-- Name: lead_appointments crmshift_sync_update; Type: TRIGGER

CREATE TRIGGER crmshift_sync_update AFTER UPDATE ON public.lead_appointments REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_lead_appointments();

-- Name: leads crmshift_sync_update; Type: TRIGGER

CREATE TRIGGER crmshift_sync_update AFTER UPDATE ON public.leads REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_leads();

-- Name: leads crmshift_then_make_primary_lead; Type: TRIGGER

CREATE TRIGGER crmshift_then_make_primary_lead AFTER UPDATE OF is_primary ON public.leads FOR EACH STATEMENT WHEN ((current_setting('crmshift.asked'::text, true) <> ''::text)) EXECUTE FUNCTION crmshift.tg_make_primary_lead();

-- Name: leads crmshift_then_note_delete; Type: TRIGGER

CREATE TRIGGER crmshift_then_note_delete AFTER DELETE ON public.leads REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_note_leads();

-- Name: leads crmshift_then_note_insert; Type: TRIGGER

CREATE TRIGGER crmshift_then_note_insert AFTER INSERT ON public.leads REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION crmshift.tg_note_leads();

-- Name: leads crmshift_then_note_update; Type: TRIGGER

CREATE TRIGGER crmshift_then_note_update AFTER UPDATE ON public.leads FOR EACH ROW WHEN (((new.customer_id <> old.customer_id) OR (old.is_primary AND (NOT new.is_primary)))) EXECUTE FUNCTION crmshift.tg_note_lead();

-- Name: backfill_range backfill_range_walk_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY crmshift.backfill_range
    ADD CONSTRAINT backfill_range_walk_fkey FOREIGN KEY (walk) REFERENCES crmshift.backfill_walk(id) ON DELETE CASCADE;

-- Name: comparison comparison_mapping_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY crmshift.comparison
    ADD CONSTRAINT comparison_mapping_fkey FOREIGN KEY (mapping) REFERENCES crmshift.mapping(name) ON DELETE CASCADE;

-- Name: conflict_policy conflict_policy_subject_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY crmshift.conflict_policy
    ADD CONSTRAINT conflict_policy_subject_fkey FOREIGN KEY (subject) REFERENCES crmshift.mapping(name) ON DELETE CASCADE;

-- Name: feed feed_mapping_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY crmshift.feed
    ADD CONSTRAINT feed_mapping_fkey FOREIGN KEY (mapping) REFERENCES crmshift.mapping(name) ON DELETE CASCADE;

-- Name: repair_key repair_key_run_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY crmshift.repair_key
    ADD CONSTRAINT repair_key_run_fkey FOREIGN KEY (run) REFERENCES crmshift.repair_run(id) ON DELETE CASCADE;

-- Name: repair_log repair_log_run_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY crmshift.repair_log
    ADD CONSTRAINT repair_log_run_fkey FOREIGN KEY (run) REFERENCES crmshift.repair_run(id) ON DELETE CASCADE;

-- Name: validation_run validation_run_since_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY crmshift.validation_run
    ADD CONSTRAINT validation_run_since_fkey FOREIGN KEY (since) REFERENCES crmshift.validation_run(id);

-- Name: lead_appointments appointment_belongs_to_lead_of_its_workspace; Type: FK CONSTRAINT

ALTER TABLE ONLY public.lead_appointments
    ADD CONSTRAINT appointment_belongs_to_lead_of_its_workspace FOREIGN KEY (workspace_id, lead_id) REFERENCES public.leads(workspace_id, id) ON UPDATE CASCADE ON DELETE CASCADE;

-- Name: appointments appointments_contact_id_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_contact_id_fkey FOREIGN KEY (contact_id) REFERENCES public.contacts(id) ON DELETE CASCADE;

-- Name: contact_custom_fields contact_custom_fields_contact_id_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY public.contact_custom_fields
    ADD CONSTRAINT contact_custom_fields_contact_id_fkey FOREIGN KEY (contact_id) REFERENCES public.contacts(id) ON DELETE CASCADE;

-- Name: contact_custom_fields contact_custom_fields_field_id_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY public.contact_custom_fields
    ADD CONSTRAINT contact_custom_fields_field_id_fkey FOREIGN KEY (field_id) REFERENCES public.custom_fields(id) ON DELETE CASCADE;

-- Name: contacts contacts_workspace_id_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id);

-- Name: custom_fields custom_fields_workspace_id_fkey; Type: FK CONSTRAINT

ALTER TABLE ONLY public.custom_fields
    ADD CONSTRAINT custom_fields_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id);

-- Name: customers customer_belongs_to_workspace; Type: FK CONSTRAINT

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customer_belongs_to_workspace FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id);

-- Name: customer_custom_fields customer_field_is_defined; Type: FK CONSTRAINT

ALTER TABLE ONLY public.customer_custom_fields
    ADD CONSTRAINT customer_field_is_defined FOREIGN KEY (field_id) REFERENCES public.custom_fields(id);

-- Name: appointment_custom_fields field_belongs_to_appointment_of_its_workspace; Type: FK CONSTRAINT

ALTER TABLE ONLY public.appointment_custom_fields
    ADD CONSTRAINT field_belongs_to_appointment_of_its_workspace FOREIGN KEY (workspace_id, appointment_id) REFERENCES public.lead_appointments(workspace_id, id) ON UPDATE CASCADE;

-- Name: customer_custom_fields field_belongs_to_customer_of_its_workspace; Type: FK CONSTRAINT

ALTER TABLE ONLY public.customer_custom_fields
    ADD CONSTRAINT field_belongs_to_customer_of_its_workspace FOREIGN KEY (workspace_id, customer_id) REFERENCES public.customers(workspace_id, cst_id) ON UPDATE CASCADE ON DELETE CASCADE;

-- Name: lead_custom_fields field_belongs_to_lead_of_its_workspace; Type: FK CONSTRAINT

ALTER TABLE ONLY public.lead_custom_fields
    ADD CONSTRAINT field_belongs_to_lead_of_its_workspace FOREIGN KEY (workspace_id, lead_id) REFERENCES public.leads(workspace_id, id) ON UPDATE CASCADE;

-- Name: leads lead_belongs_to_customer_of_its_workspace; Type: FK CONSTRAINT

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT lead_belongs_to_customer_of_its_workspace FOREIGN KEY (workspace_id, customer_id) REFERENCES public.customers(workspace_id, cst_id) ON UPDATE CASCADE;

-- Name: appointment_custom_fields; Type: ROW SECURITY

ALTER TABLE public.appointment_custom_fields ENABLE ROW LEVEL SECURITY;

-- Name: appointment_custom_fields appointment_custom_fields_of_owner; Type: POLICY

CREATE POLICY appointment_custom_fields_of_owner ON public.appointment_custom_fields TO postgres USING (true);

-- Name: appointment_custom_fields appointment_custom_fields_of_workspace; Type: POLICY

CREATE POLICY appointment_custom_fields_of_workspace ON public.appointment_custom_fields USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

-- Name: customer_custom_fields; Type: ROW SECURITY

ALTER TABLE public.customer_custom_fields ENABLE ROW LEVEL SECURITY;

-- Name: customer_custom_fields customer_custom_fields_of_owner; Type: POLICY

CREATE POLICY customer_custom_fields_of_owner ON public.customer_custom_fields TO postgres USING (true);

-- Name: customer_custom_fields customer_custom_fields_of_workspace; Type: POLICY

CREATE POLICY customer_custom_fields_of_workspace ON public.customer_custom_fields USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

-- Name: customers; Type: ROW SECURITY

ALTER TABLE public.customers ENABLE ROW LEVEL SECURITY;

-- Name: customers customers_of_owner; Type: POLICY

CREATE POLICY customers_of_owner ON public.customers TO postgres USING (true);

-- Name: customers customers_of_workspace; Type: POLICY

CREATE POLICY customers_of_workspace ON public.customers USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

-- Name: lead_appointments; Type: ROW SECURITY

ALTER TABLE public.lead_appointments ENABLE ROW LEVEL SECURITY;

-- Name: lead_appointments lead_appointments_of_owner; Type: POLICY

CREATE POLICY lead_appointments_of_owner ON public.lead_appointments TO postgres USING (true);

-- Name: lead_appointments lead_appointments_of_workspace; Type: POLICY

CREATE POLICY lead_appointments_of_workspace ON public.lead_appointments USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

-- Name: lead_custom_fields; Type: ROW SECURITY

ALTER TABLE public.lead_custom_fields ENABLE ROW LEVEL SECURITY;

-- Name: lead_custom_fields lead_custom_fields_of_owner; Type: POLICY

CREATE POLICY lead_custom_fields_of_owner ON public.lead_custom_fields TO postgres USING (true);

-- Name: lead_custom_fields lead_custom_fields_of_workspace; Type: POLICY

CREATE POLICY lead_custom_fields_of_workspace ON public.lead_custom_fields USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

-- Name: leads; Type: ROW SECURITY

ALTER TABLE public.leads ENABLE ROW LEVEL SECURITY;

-- Name: leads leads_of_owner; Type: POLICY

CREATE POLICY leads_of_owner ON public.leads TO postgres USING (true);

-- Name: leads leads_of_workspace; Type: POLICY

CREATE POLICY leads_of_workspace ON public.leads USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

-- Name: TABLE appointment_lock; Type: ACL

GRANT SELECT ON TABLE crmshift.appointment_lock TO PUBLIC;

-- Name: COLUMN appointment_lock.held; Type: ACL

GRANT UPDATE(held) ON TABLE crmshift.appointment_lock TO PUBLIC;

-- Name: TABLE customer_field_lock; Type: ACL

GRANT SELECT ON TABLE crmshift.customer_field_lock TO PUBLIC;

-- Name: COLUMN customer_field_lock.held; Type: ACL

GRANT UPDATE(held) ON TABLE crmshift.customer_field_lock TO PUBLIC;

-- Name: TABLE customer_lock; Type: ACL

GRANT SELECT ON TABLE crmshift.customer_lock TO PUBLIC;

-- Name: COLUMN customer_lock.held; Type: ACL

GRANT UPDATE(held) ON TABLE crmshift.customer_lock TO PUBLIC;
