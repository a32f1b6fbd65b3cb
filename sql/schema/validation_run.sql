-- Results of validate, kept so that a later phase can demand a fresh one, and so that the next can look at what was written since.

create view crmshift.validation_position as
select (select encode(sha256(convert_to(string_agg(format('%s %s', s.step, s.checksum), E'\n' order by s.step), 'UTF8')), 'hex')
          from crmshift.step_state as s where s.state = 'applied' and s.step not like 'validate/%') as plan,
       (select max(id) from crmshift.step_run) as ledger,
       pg_snapshot_xmin(pg_current_snapshot()) as horizon,
       (select system_identifier from pg_catalog.pg_control_system()) as server,
       (select sum(pg_catalog.pg_stat_get_tuples_inserted(p.relid) + pg_catalog.pg_stat_get_tuples_updated(p.relid)
                   + pg_catalog.pg_stat_get_tuples_deleted(p.relid))::bigint
          from (select t.relid from (select to_regclass(target) as relid from crmshift.mapping) as t
                union select l.relid from crmshift.mapping as m, pg_catalog.pg_partition_tree(to_regclass(m.target)) as l) as p
         where current_setting('track_counts')::boolean) as writes,
       (select d.stats_reset from pg_catalog.pg_stat_database as d where d.datname = current_database()) as stats_reset;
comment on view crmshift.validation_position is 'Where the database stands, as a validation notes it: fingerprint of the applied plan, last entry of the ledger, oldest transaction still running, and rows ever written in mapped tables as PostgreSQL counts them.';

create table crmshift.validation_run (
    id           bigint generated always as identity primary key,
    at           timestamptz not null default clock_timestamp(),
    workspace_id uuid,
    since        bigint references crmshift.validation_run,
    sample       double precision constraint sample_is_a_percentage check (sample > 0 and sample < 100),
    standby_lag  double precision,
    complete     boolean not null generated always as (workspace_id is null and since is null and sample is null) stored,
    clean        boolean not null,
    fail_under   double precision not null,
    accuracies   jsonb not null,
    drifted      bigint not null,
    outstanding  bigint not null,
    findings     jsonb not null,
    plan         text,
    ledger       bigint,
    horizon      xid8 not null,
    server       bigint not null,
    writes       bigint,
    stats_reset  timestamptz,
    duration     interval not null,
    actor        text not null default session_user
);
comment on table crmshift.validation_run is 'Each run of crmshift validate and what it found.';
comment on column crmshift.validation_run.at is 'When it ended.';
comment on column crmshift.validation_run.workspace_id is 'The workspace it was restricted to; null for all.';
comment on column crmshift.validation_run.since is 'The run whose later writes alone were compared; null for all rows.';
comment on column crmshift.validation_run.sample is 'Percent of the keys that were compared; null for all.';
comment on column crmshift.validation_run.standby_lag is 'Seconds the standby it read was behind; null where it read the primary.';
comment on column crmshift.validation_run.complete is 'Whether it looked at everything. Only such a run opens a gate.';
comment on column crmshift.validation_run.clean is 'Whether it passed.';
comment on column crmshift.validation_run.fail_under is 'Accuracy in percent that was demanded.';
comment on column crmshift.validation_run.accuracies is 'Rows and agreeing rows by entity.';
comment on column crmshift.validation_run.drifted is 'Rows that differ from their mapping and do not stand in the sync queue.';
comment on column crmshift.validation_run.outstanding is 'Rows that differ and stand in the sync queue.';
comment on column crmshift.validation_run.findings is 'Number of findings by check; zero where it passed.';
comment on column crmshift.validation_run.plan is 'Fingerprint of the steps that were applied then.';
comment on column crmshift.validation_run.ledger is 'Last entry of the ledger then.';
comment on column crmshift.validation_run.horizon is 'Oldest transaction that was still running when it began: what older ones wrote it has seen.';
comment on column crmshift.validation_run.server is 'System identifier of the cluster; transactions of another one say nothing.';
comment on column crmshift.validation_run.writes is 'Rows ever written in mapped tables by PostgreSQL''s statistics, when it began; null where they are not counted.';
comment on column crmshift.validation_run.stats_reset is 'When those statistics were last reset.';
comment on column crmshift.validation_run.duration is 'How long it took.';
comment on column crmshift.validation_run.actor is 'Database role that ran it.';

create view crmshift.validation_state as
select r.*, clock_timestamp() - r.at as age,
       -- A reset, or a crash, begins the count anew: then it is not known.
       case when p.stats_reset is not distinct from r.stats_reset and p.writes >= r.writes then p.writes - r.writes end as writes_since,
       r.plan is not distinct from p.plan as same_plan,
       r.server = p.server and p.horizon >= r.horizon
       and pg_snapshot_xmax(pg_current_snapshot())::text::numeric - r.horizon::text::numeric < 2000000000 as comparable
  from crmshift.validation_run as r cross join crmshift.validation_position as p;
comment on view crmshift.validation_state is 'Results of validate and how stale they are: age, rows written in mapped tables since (null: not known), whether the plan is the same, and whether transactions can still be compared with those of then.';
