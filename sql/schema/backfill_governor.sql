-- Steering a backfill by rows: how many workers, how long a batch, paused or not; and signs of strain that hold it while they last.
-- A running backfill reads its controls before every batch, and the signals every second. Any psql may change them at any time.

create table crmshift.backfill_control (
    only_row       boolean primary key default true constraint there_is_one_row check (only_row),
    workers        integer not null default 1 constraint workers_are_1_to_64 check (workers between 1 and 64),
    batch_seconds  double precision not null default 0.5
                   constraint batches_take_at_most_half_a_second check (batch_seconds > 0 and batch_seconds <= 0.5),
    batch_rows     integer not null default 10000 constraint batches_have_1_to_1000000_rows check (batch_rows between 1 and 1000000),
    rest           double precision not null default 0 constraint rest_is_0_to_20_times_the_work check (rest >= 0 and rest <= 20),
    throttle_query text,
    paused         boolean not null default false,
    paused_at      timestamptz,
    why            text,
    changed_by     text not null default session_user,
    changed_at     timestamptz not null default clock_timestamp()
);
insert into crmshift.backfill_control default values;
comment on table crmshift.backfill_control is 'How a backfill runs. One row, read before every batch: update it at any time.';
comment on column crmshift.backfill_control.workers is 'How many batches at a time, each in a session of its own.';
comment on column crmshift.backfill_control.batch_seconds is 'How long a batch should take, and so how long it may keep an application waiting.';
comment on column crmshift.backfill_control.batch_rows is 'A batch never has more rows than this, however quick it is.';
comment on column crmshift.backfill_control.rest is 'Seconds that a worker rests for each second of a batch: 3 leaves three quarters of the time to the applications.';
comment on column crmshift.backfill_control.throttle_query is 'A query of yours, for the signal throttle_query: one value, a number, or true to hold the backfill. Read only, under statement_timeout.';
comment on column crmshift.backfill_control.paused is 'No batch begins.';
comment on column crmshift.backfill_control.paused_at is 'Since when.';
comment on column crmshift.backfill_control.why is 'What the operator said.';
comment on column crmshift.backfill_control.changed_by is 'Who changed it last.';
comment on column crmshift.backfill_control.changed_at is 'When.';

create function crmshift.tg_backfill_control() returns trigger
language plpgsql
as $$
begin
    new.changed_by := session_user;
    new.changed_at := pg_catalog.clock_timestamp();
    new.paused_at := case when new.paused then coalesce(old.paused_at, new.changed_at) end;
    return new;
end
$$;
comment on function crmshift.tg_backfill_control() is 'Notes who changed the controls, and when, and since when the backfill is paused.';
create trigger stamp before update on crmshift.backfill_control for each row execute function crmshift.tg_backfill_control();

create function crmshift.backfill_pause(why text default null) returns void
language sql
as $$ update crmshift.backfill_control set paused = true, why = $1 $$;
comment on function crmshift.backfill_pause(text) is 'From the next batch on, the backfill waits: select crmshift.backfill_pause(''why''). Batches under way end within half a second or so.';

create function crmshift.backfill_resume() returns void
language sql
as $$ update crmshift.backfill_control set paused = false, why = null $$;
comment on function crmshift.backfill_resume() is 'Let the backfill go on.';

create table crmshift.backfill_signal (
    signal       text primary key constraint signal_is_plain check (signal ~ '^[a-z][a-z0-9_]{0,40}$'),
    position     integer not null,
    measures     text not null,
    unit         text not null default '',
    pauses_at    double precision not null,
    resumes_at   double precision not null,
    at_most      interval,
    enabled      boolean not null default true,
    constraint resumes_below_where_it_pauses check (resumes_at >= 0 and resumes_at < pauses_at and pauses_at < 'infinity')
);
comment on table crmshift.backfill_signal is 'Signs of strain. Each is read by the function crmshift.signal_<signal>(); a row and a function of yours make one more.';
comment on column crmshift.backfill_signal.position is 'They are read in this order.';
comment on column crmshift.backfill_signal.measures is 'What the reading says.';
comment on column crmshift.backfill_signal.unit is 'In what.';
comment on column crmshift.backfill_signal.pauses_at is 'The backfill is held from this reading on.';
comment on column crmshift.backfill_signal.resumes_at is 'It goes on when the reading has come down to this.';
comment on column crmshift.backfill_signal.at_most is 'It is held no longer than this for one occurrence; null: as long as it takes.';
comment on column crmshift.backfill_signal.enabled is 'Whether it counts.';
insert into crmshift.backfill_signal (signal, position, measures, unit, pauses_at, resumes_at, at_most) values
    ('blocked_sessions',   1, 'sessions that wait for a lock which a batch holds', '', 1, 0, null),
    ('lock_waiters',       2, 'sessions of this database that wait for locks', '', 5, 1, null),
    ('replica_lag',        3, 'how far the slowest replica is behind in replaying', 's', 10, 2, null),
    ('oldest_transaction', 4, 'age of the oldest transaction that has touched a mapped table', 's', 300, 60, null),
    ('archive_backlog',    5, 'WAL segments that wait to be archived', '', 32, 8, null),
    ('autovacuum',         6, 'mapped tables that are being vacuumed or analyzed', '', 1, 0, '30 s'),
    ('queue_growth',       7, 'writes queued in the last minute whose sync may yet succeed, or is paused', '', 1000, 100, null),
    ('throttle_query',     8, 'what the query of the operator says', '', 1, 0, null);

-- Whoever runs a batch has locked a row of backfill_range; a repair locks the table alike. That tells backfills by whatever client.
create function crmshift.backfill_backends() returns integer[]
language sql stable
as $$
select coalesce(array_agg(distinct l.pid), '{}') from pg_catalog.pg_locks as l
 where l.locktype = 'relation' and l.granted and l.mode in ('RowShareLock', 'RowExclusiveLock')
   and l.relation = 'crmshift.backfill_range'::regclass
   and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
$$;
comment on function crmshift.backfill_backends() is 'Processes that are in the middle of a batch.';

create function crmshift.mapped_relations() returns table (relation regclass, written boolean)
language sql stable
as $$
-- written: by a backfill.
select coalesce(p.relid, pg_catalog.to_regclass(m.target)), pg_catalog.bool_or(m.direction = 'to_target')
  from crmshift.mapping as m
  left join lateral pg_catalog.pg_partition_tree(pg_catalog.to_regclass(m.target)) as p on true
 where pg_catalog.to_regclass(m.target) is not null
 group by 1
$$;
comment on function crmshift.mapped_relations() is 'Mapped tables of both sides, their partitions included.';

create function crmshift.signal_blocked_sessions() returns double precision
language sql
as $$
select count(distinct l.pid) from pg_catalog.pg_locks as l, crmshift.backfill_backends() as b (pids)
 where not l.granted and l.pid <> all (b.pids) and pg_catalog.pg_blocking_pids(l.pid) && b.pids
$$;
comment on function crmshift.signal_blocked_sessions() is 'Sessions that wait for a lock which a batch holds, other batches aside.';

create function crmshift.signal_lock_waiters() returns double precision
language sql
as $$
select count(distinct l.pid) from pg_catalog.pg_locks as l join pg_catalog.pg_stat_activity as a on a.pid = l.pid
 where not l.granted and l.pid <> all (crmshift.backfill_backends())
   and a.datid = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
$$;
comment on function crmshift.signal_lock_waiters() is 'Sessions of this database that wait for locks of whomever.';

create function crmshift.signal_replica_lag() returns double precision
language plpgsql
as $$
begin
    if exists (select from pg_catalog.pg_stat_replication where state is null) then
        raise exception 'How far replicas are behind is shown to members of pg_monitor only.'
            using errcode = '42501', hint = 'Grant pg_monitor to the role of the backfill.';
    end if;
    return (select coalesce(extract(epoch from max(r.replay_lag)), 0) from pg_catalog.pg_stat_replication as r);
end
$$;
comment on function crmshift.signal_replica_lag() is 'Seconds that the slowest replica is behind in replaying; 0 where there is none.';

create function crmshift.signal_oldest_transaction() returns double precision
language plpgsql
as $$
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
comment on function crmshift.signal_oldest_transaction() is 'Seconds since the oldest transaction began that has touched a mapped table, batches aside.';

create function crmshift.signal_archive_backlog() returns double precision
language plpgsql
as $$
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
$$;
comment on function crmshift.signal_archive_backlog() is 'WAL segments that wait to be archived; 0 where there is no archiving.';

create function crmshift.signal_autovacuum() returns double precision
language sql
as $$
-- By the lock it holds, which everybody may see, unlike pg_stat_progress_vacuum. A VACUUM, ANALYZE or CREATE INDEX CONCURRENTLY by hand has the same claim.
select count(distinct l.relation) from pg_catalog.pg_locks as l join crmshift.mapped_relations() as r on r.relation = l.relation and r.written
 where l.locktype = 'relation' and l.granted and l.mode = 'ShareUpdateExclusiveLock'
   and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
$$;
comment on function crmshift.signal_autovacuum() is 'Tables written by the backfill that are being vacuumed or analyzed.';

create function crmshift.signal_queue_growth() returns double precision
language sql
as $$
-- The newest are looked at, and no more than 5000, for the queue may be long. Rows that wait for a person (classes 22, 23, 42) are no strain.
select count(*) from (select q.at, q.sqlstate from crmshift.sync_queue as q order by q.id desc limit 5000) as q
 where q.at > pg_catalog.clock_timestamp() - interval '1 minute' and coalesce(q.sqlstate, '') !~ '^(22|23|42)'
$$;
comment on function crmshift.signal_queue_growth() is 'Rows queued in the last minute, those that wait for a person aside; 5000 means at least so many.';

create function crmshift.signal_throttle_query() returns double precision
language plpgsql
as $$
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
comment on function crmshift.signal_throttle_query() is 'What backfill_control.throttle_query says; true counts as 1.';

create table crmshift.backfill_reading (
    signal     text primary key,
    reading    double precision,
    read_at    timestamptz not null default clock_timestamp(),
    failures   integer not null default 0,
    sqlstate   text,
    trouble    text,
    held_since timestamptz,
    passed_over boolean not null default false
) with (fillfactor = 20);
comment on table crmshift.backfill_reading is 'What crmshift.backfill_check() last read, and since when a signal has held the backfill.';
comment on column crmshift.backfill_reading.signal is 'Signal, as in crmshift.backfill_signal.';
comment on column crmshift.backfill_reading.reading is 'What was last read; null where it has nothing to say.';
comment on column crmshift.backfill_reading.read_at is 'When it was last read, or tried.';
comment on column crmshift.backfill_reading.failures is 'How often in a row it could not be read. From the third time on that holds the backfill.';
comment on column crmshift.backfill_reading.sqlstate is 'Why it could not be read.';
comment on column crmshift.backfill_reading.trouble is 'The same in words; of a throttle query of yours, or SQLSTATE classes 22 and 23, which may show values, none are kept.';
comment on column crmshift.backfill_reading.held_since is 'Since when it has held the backfill; null where it does not.';
comment on column crmshift.backfill_reading.passed_over is 'It has held the backfill as long as it may, and is not heeded until it has come down.';

create view crmshift.backfill_hold as
select h.signal, h.measures, h.unit, h.reading, h.pauses_at, h.resumes_at, h.since, h.why
  from (select 0 as position, 'paused' as signal, 'paused by ' || c.changed_by as measures, '' as unit, null::double precision as reading,
               null::double precision as pauses_at, null::double precision as resumes_at, c.paused_at as since, c.why
          from crmshift.backfill_control as c where c.paused
        union all
        select s.position, s.signal, s.measures, s.unit, r.reading, s.pauses_at, s.resumes_at, r.held_since,
               case when r.failures >= 3 then coalesce('cannot be read: ' || r.trouble, 'cannot be read') || format(' (%s)', r.sqlstate) end
          from crmshift.backfill_signal as s join crmshift.backfill_reading as r using (signal)
         where s.enabled and r.held_since is not null and not r.passed_over) as h
 order by h.position;
comment on view crmshift.backfill_hold is 'What holds the backfill now, by what was last read: its reading, where it pauses and where it goes on, and since when. Empty: nothing does.';

create function crmshift.backfill_check(of_signal text default null) returns setof crmshift.backfill_hold
language plpgsql
as $$
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
comment on function crmshift.backfill_check(text) is 'Read the signals and say what holds the backfill: select * from crmshift.backfill_check(). A running backfill does so every second.';
