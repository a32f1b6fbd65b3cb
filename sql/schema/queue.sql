-- The sync queue: writes whose sync is outstanding. And the archive: rows taken away because legacy no longer has their owner.

create table crmshift.sync_queue (
    id              bigint generated always as identity primary key,
    subject         text not null,
    key             jsonb not null,
    side            text not null constraint side_is_known check (side in ('legacy', 'target')),
    op              text not null default 'update' constraint op_is_known check (op in ('insert', 'update', 'delete', 'truncate')),
    reason          text not null
                    constraint reason_is_known check (reason in ('failed', 'parent', 'held', 'paused', 'manual', 'nested', 'not_converged')),
    at              timestamptz not null default clock_timestamp(),
    txid            xid8 not null default pg_current_xact_id(),
    sqlstate        text,
    message         text,
    constraint_name text,
    table_name      text,
    column_name     text,
    changed         jsonb,
    attempts        integer not null default 0,
    retry_at        timestamptz
);
create index sync_queue_nested_idx on crmshift.sync_queue (txid) where reason = 'nested';
create index sync_queue_key_idx on crmshift.sync_queue (subject, key);
comment on table crmshift.sync_queue is 'Writes whose sync is outstanding. Both sides agree about every subject, or it stands here. Append-only for writers, so that queueing never waits.';
comment on column crmshift.sync_queue.id is 'Also the version: of two writes of one subject, the one with the greater id is the later. Drawn while the written row is locked.';
comment on column crmshift.sync_queue.subject is 'What the two sides do not agree about, by the mapping back to its legacy table: contacts, contact_custom_fields, appointments.';
comment on column crmshift.sync_queue.key is 'Its key in legacy, by column name. Empty: all rows of the subject.';
comment on column crmshift.sync_queue.side is 'Side that was written.';
comment on column crmshift.sync_queue.op is 'What was done there. delete is the tombstone: the row is not brought back by an older write of the other side.';
comment on column crmshift.sync_queue.reason is 'failed: an error, see sqlstate. paused: the sync is paused, or asynchronous. held: the other side has a queued write of the same row, which must not be overwritten unseen. manual: a conflict waits for crmshift.resolve(). parent: a row that depends on this one failed, and this one may be what was lacking. nested: noted by a trigger inside a sync and settled before it ends. not_converged: two triggers keep rewriting each other.';
comment on column crmshift.sync_queue.at is 'Wall clock when it was queued.';
comment on column crmshift.sync_queue.txid is 'Transaction that queued it.';
comment on column crmshift.sync_queue.sqlstate is 'Why. Class 40, 53 and 55 pass by themselves; 22, 23 and 42 wait for a person.';
comment on column crmshift.sync_queue.message is 'Message of the error; may contain values of customers, so it is shown only on request.';
comment on column crmshift.sync_queue.constraint_name is 'Constraint that was violated, if any.';
comment on column crmshift.sync_queue.table_name is 'Table the error speaks of, if any.';
comment on column crmshift.sync_queue.column_name is 'Column the error speaks of, if any.';
comment on column crmshift.sync_queue.changed is 'Mapped columns the write changed, as {column: [old, new]} by the names of the table written; values of customers, shown only on request.';
comment on column crmshift.sync_queue.attempts is 'How often a drain tried.';
comment on column crmshift.sync_queue.retry_at is 'When a cause that passes by itself is tried again.';

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
    subject  text not null,
    key      jsonb not null,
    kind     text not null,
    columns  text[] not null default '{}',
    policy   text not null,
    winner   text constraint winner_is_known check (winner in ('legacy', 'target', 'merged')),
    losing   jsonb,
    at       timestamptz not null default clock_timestamp(),
    decision text constraint decision_is_a_side check (decision in ('legacy', 'target')),
    decided_by text,
    decided_at timestamptz
);
create index conflict_log_open_idx on crmshift.conflict_log (subject, key) where winner is null;
comment on table crmshift.conflict_log is 'Conflicts: what both sides wrote while they could not agree, who won, and what the other had written. Open ones wait for crmshift.resolve().';
comment on column crmshift.conflict_log.subject is 'What the conflict is about, by the mapping back to its legacy table.';
comment on column crmshift.conflict_log.key is 'Its key in legacy.';
comment on column crmshift.conflict_log.kind is 'By PostgreSQL 18''s names. update_origin_differs: both changed it. insert_exists: it was inserted where the other side had it already. delete_origin_differs: one side deleted it, the other changed it.';
comment on column crmshift.conflict_log.columns is 'Legacy columns in conflict; empty where it is about the whole row.';
comment on column crmshift.conflict_log.policy is 'Policy that settled it.';
comment on column crmshift.conflict_log.winner is 'Side whose values stand; merged where a function found others; null while it is open.';
comment on column crmshift.conflict_log.losing is 'What does not stand, as {column: [before, lost]}, or [before, legacy, target] where neither does; values of customers.';
comment on column crmshift.conflict_log.at is 'When it was found.';
comment on column crmshift.conflict_log.decision is 'Side a person chose.';
comment on column crmshift.conflict_log.decided_by is 'Who.';
comment on column crmshift.conflict_log.decided_at is 'When.';
