-- The control schema and its ledger: what ran, when, by whom, and how it ended.
-- First step of every plan; undone last.

create schema crmshift;
comment on schema crmshift is 'Everything crmshift keeps in this database. Removed by: crmshift rollback --to legacy.';

create table crmshift.step_run (
    id          bigint generated always as identity primary key,
    run_id      uuid not null,
    phase       text not null,
    step        text not null,
    action      text not null constraint action_is_known check (action in ('apply', 'undo')),
    event       text not null constraint event_is_known check (event in ('started', 'finished', 'failed')),
    at          timestamptz not null default clock_timestamp(),
    duration    interval,
    checksum    text,
    statements  text[],
    undo        text[],
    sqlstate    text,
    message     text,
    hint        text,
    actor       text not null default session_user,
    application text not null default current_setting('application_name'),
    version     text not null,
    constraint failure_has_a_message check ((event = 'failed') = (message is not null))
);
comment on table crmshift.step_run is 'Ledger, append-only: one row for each thing that happened to a step. The current state is the view step_state.';
comment on column crmshift.step_run.run_id is 'One invocation of crmshift.';
comment on column crmshift.step_run.phase is 'Phase of the plan the step belongs to.';
comment on column crmshift.step_run.step is 'Name of the step in the plan.';
comment on column crmshift.step_run.action is 'apply: carried out. undo: taken back.';
comment on column crmshift.step_run.event is 'started: a step of many transactions began. finished: committed together with the change it records. failed: rolled back.';
comment on column crmshift.step_run.at is 'Wall clock when the row was written.';
comment on column crmshift.step_run.duration is 'How long the step took; null where it only started.';
comment on column crmshift.step_run.checksum is 'SHA-256 of the statements, as plan printed them.';
comment on column crmshift.step_run.statements is 'The statements that were executed, in order.';
comment on column crmshift.step_run.undo is 'The statements that take it back, as they stood when it was applied; rollback executes these.';
comment on column crmshift.step_run.sqlstate is 'SQLSTATE of the failure.';
comment on column crmshift.step_run.message is 'What went wrong, without values of customers.';
comment on column crmshift.step_run.hint is 'What to do about it.';
comment on column crmshift.step_run.actor is 'Database role that ran it.';
comment on column crmshift.step_run.application is 'application_name of the session.';
comment on column crmshift.step_run.version is 'Version of crmshift.';

create view crmshift.step_state as
select distinct on (phase, step)
       phase, step,
       case when action = 'apply' and event = 'finished' then 'applied'
            when action = 'apply' and event = 'started' then 'running'
            when action = 'apply' and event = 'failed' then 'failed'
            when action = 'undo' and event = 'finished' then 'pending'
            else 'undo failed'
       end as state,
       checksum, at, run_id
  from crmshift.step_run
 order by phase, step, id desc;
comment on view crmshift.step_state is 'Where each step stands: applied, running (or interrupted), failed, pending (undone), undo failed.';
