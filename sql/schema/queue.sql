-- The sync queue: keys whose sync is outstanding. And the archive: rows taken away because legacy no longer has their owner.

create table crmshift.sync_queue (
    id              bigint generated always as identity primary key,
    mapping         text not null references crmshift.mapping on delete cascade,
    key             jsonb not null,
    reason          text not null constraint reason_is_known check (reason in ('failed', 'parent', 'held', 'nested', 'not_converged')),
    at              timestamptz not null default clock_timestamp(),
    txid            xid8 not null default pg_current_xact_id(),
    sqlstate        text,
    message         text,
    constraint_name text,
    table_name      text,
    column_name     text,
    changed         jsonb,
    attempts        integer not null default 0
);
create index sync_queue_nested_idx on crmshift.sync_queue (txid) where reason = 'nested';
create index sync_queue_mapping_key_idx on crmshift.sync_queue (mapping, key);
comment on table crmshift.sync_queue is 'Keys whose sync is outstanding. Every row of a mapped table agrees with its mapping, or its key stands here. Append-only for writers, so that queueing never waits.';
comment on column crmshift.sync_queue.mapping is 'The mapping that could not be brought up to date.';
comment on column crmshift.sync_queue.key is 'Its key, by column name.';
comment on column crmshift.sync_queue.reason is 'failed: an error, see sqlstate. parent: a row that depends on this one failed, and this one may be what was lacking. held: the other side has a queued write of the same row, which must not be overwritten unseen. nested: noted by a trigger inside a sync and settled before it ends. not_converged: two triggers keep rewriting each other.';
comment on column crmshift.sync_queue.at is 'Wall clock when the key was queued; orders the writes of one key.';
comment on column crmshift.sync_queue.txid is 'Transaction that queued it.';
comment on column crmshift.sync_queue.sqlstate is 'Why. Class 40, 53 and 55 pass by themselves; 22, 23 and 42 wait for a person.';
comment on column crmshift.sync_queue.message is 'Message of the error; may contain values of customers, so it is shown only on request.';
comment on column crmshift.sync_queue.constraint_name is 'Constraint that was violated, if any.';
comment on column crmshift.sync_queue.table_name is 'Table the error speaks of, if any.';
comment on column crmshift.sync_queue.column_name is 'Column the error speaks of, if any.';
comment on column crmshift.sync_queue.changed is 'Mapped columns the write changed, as {column: [old, new]}; values of customers, shown only on request.';
comment on column crmshift.sync_queue.attempts is 'How often a drain tried.';

create table crmshift.archive (
    id         bigint generated always as identity primary key,
    table_name text not null,
    key        jsonb not null,
    row_data   jsonb not null,
    reason     text not null,
    at         timestamptz not null default clock_timestamp()
);
comment on table crmshift.archive is 'Rows of the target that legacy has no place for and whose owner was deleted in legacy: kept, never silently lost.';
comment on column crmshift.archive.table_name is 'Table the row stood in.';
comment on column crmshift.archive.key is 'Its primary key.';
comment on column crmshift.archive.row_data is 'The whole row.';
comment on column crmshift.archive.reason is 'Why it was taken away.';
comment on column crmshift.archive.at is 'When.';

create table crmshift.conflict_log (
    id       bigint generated always as identity primary key,
    mapping  text not null,
    key      jsonb not null,
    kind     text not null,
    policy   text not null,
    winner   text not null constraint winner_is_known check (winner in ('legacy', 'target')),
    losing   jsonb,
    at       timestamptz not null default clock_timestamp()
);
comment on table crmshift.conflict_log is 'Settled conflicts: what both sides wrote while they could not agree, who won, and what the other had written.';
comment on column crmshift.conflict_log.mapping is 'Mapping whose write lost.';
comment on column crmshift.conflict_log.key is 'Its key.';
comment on column crmshift.conflict_log.kind is 'Kind of conflict, by PostgreSQL 18''s names.';
comment on column crmshift.conflict_log.policy is 'Policy that settled it.';
comment on column crmshift.conflict_log.winner is 'Side whose values stand.';
comment on column crmshift.conflict_log.losing is 'Mapped columns of the losing write, as {column: [old, new]}; values of customers.';
comment on column crmshift.conflict_log.at is 'When it was settled.';
