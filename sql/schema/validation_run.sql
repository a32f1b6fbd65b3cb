-- Results of validate, kept so that a later phase can demand a fresh one.
create table crmshift.validation_run (
    id           bigint generated always as identity primary key,
    at           timestamptz not null default clock_timestamp(),
    workspace_id uuid,
    clean        boolean not null,
    findings     jsonb not null,
    duration     interval not null,
    actor        text not null default session_user
);
comment on table crmshift.validation_run is 'Each run of crmshift validate and what it found.';
comment on column crmshift.validation_run.at is 'When it ended.';
comment on column crmshift.validation_run.workspace_id is 'The workspace it was restricted to; null for all.';
comment on column crmshift.validation_run.clean is 'Whether every check passed.';
comment on column crmshift.validation_run.findings is 'Number of findings by check; zero where it passed.';
comment on column crmshift.validation_run.duration is 'How long it took.';
comment on column crmshift.validation_run.actor is 'Database role that ran it.';
