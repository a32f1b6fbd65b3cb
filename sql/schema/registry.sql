-- The registry of mappings: which view says what which table should hold, and whose writes make it change.
-- Filled by the files under sql/mapping/; read by describe_mapping and describe_source.

create table crmshift.mapping (
    name            text primary key constraint name_is_plain check (name ~ '^[a-z][a-z0-9_]{0,40}$'),
    entity          text not null,
    direction       text not null constraint direction_is_known check (direction in ('to_target', 'to_legacy')),
    target          text not null,
    key             text[] not null constraint key_is_not_empty check (cardinality(key) > 0),
    key_types       text[] not null constraint every_key_has_a_type check (cardinality(key_types) = cardinality(key)),
    only_where      text,
    conflict_where  text,
    before_remove   text,
    clock           text[] not null default '{}',
    position        integer not null,
    constraint position_is_unique unique (direction, position)
);
comment on table crmshift.mapping is 'One row for each mapped table: the view <name>_expected says what it should hold.';
comment on column crmshift.mapping.name is 'Name of the mapping; its view is crmshift.<name>_expected.';
comment on column crmshift.mapping.entity is 'The mapped table pair this is one direction of: customer, lead, custom field, appointment.';
comment on column crmshift.mapping.direction is 'to_target: legacy to lead-centric. to_legacy: back.';
comment on column crmshift.mapping.target is 'The table the view describes, schema-qualified.';
comment on column crmshift.mapping.key is 'Columns of the table that identify a row; the view has them too.';
comment on column crmshift.mapping.key_types is 'Their types, in the same order.';
comment on column crmshift.mapping.only_where is 'Condition on the table, as t, that picks the rows the mapping speaks of, e.g. t.is_primary.';
comment on column crmshift.mapping.conflict_where is 'Predicate of the unique index on the key, where that is a partial one.';
comment on column crmshift.mapping.before_remove is 'Function called with the keys that are about to be deleted, e.g. to archive what legacy cannot hold.';
comment on column crmshift.mapping.clock is 'Columns that only say when a row changed: the later write''s stands, and that is no conflict.';
comment on column crmshift.mapping.position is 'Rows are written in this order within a direction, and removed in the reverse order: parents first.';

create table crmshift.comparison (
    mapping     text not null references crmshift.mapping on delete cascade,
    column_name text not null,
    agrees      text not null,
    primary key (mapping, column_name)
);
comment on table crmshift.comparison is 'Columns that are compared by a condition instead of by value: clocks, and others that follow from the rest. They are still written whenever the row is.';
comment on column crmshift.comparison.agrees is 'Condition on e, the row as the view has it, and t, the row of the table: true where the column agrees. It is looked at where there are both.';

create table crmshift.feed (
    mapping text not null references crmshift.mapping on delete cascade,
    source  text not null,
    key            text[] not null,
    mode    text not null constraint mode_is_known check (mode in ('sync', 'fill')),
    prepare text,
    reaches text,
    primary key (mapping, source)
);
comment on table crmshift.feed is 'Which tables a mapping reads, so that a write there reaches it.';
comment on column crmshift.feed.source is 'Table whose writes matter, schema-qualified.';
comment on column crmshift.feed.key is 'Columns of the source that give the key of the mapping, in its order.';
comment on column crmshift.feed.mode is 'sync: the row is written anew. fill: it is only made sure to exist, as the parent of something else.';
comment on column crmshift.feed.prepare is 'Function called with the keys before the row is written, e.g. to choose a primary lead.';
comment on column crmshift.feed.reaches is 'Function from the keys to the subjects and keys of other rows that a write here reaches, e.g. the appointments of a lead that became primary.';

-- A subject is a row of legacy and all that is made of it: what the two sides have to agree about. It is named by the
-- mapping back to its legacy table, and by its key there.
create view crmshift.mapping_subject as
select m.name as mapping, m.name as subject, m.key, m.key as columns, m.position
  from crmshift.mapping as m where m.direction = 'to_legacy'
union all
select m.name, s.name, s.key, array(select m.key[array_position(f.key, k)] from unnest(s.key) with ordinality as u (k, i) order by i), s.position
  from crmshift.mapping as m
  join crmshift.feed as f on f.mapping = m.name and f.mode = 'sync'
  join crmshift.mapping as s on s.direction = 'to_legacy' and s.target = f.source and s.key <@ f.key
 where m.direction = 'to_target';
comment on view crmshift.mapping_subject is 'Which subject a row of a mapping is about: columns of the mapping that give the subject''s key, in its order.';

create view crmshift.source_subject as
select m.target as source, 'legacy' as side, m.name as subject, m.key, m.key as columns, 'sync' as mode, true as whole, m.position
  from crmshift.mapping as m where m.direction = 'to_legacy'
union
select f.source, case m.direction when 'to_target' then 'legacy' else 'target' end, s.subject, s.key, c.columns, f.mode,
       exists (select from crmshift.mapping as own where own.target = f.source and own.conflict_where is null and own.key = c.columns),
       s.position
  from crmshift.feed as f
  join crmshift.mapping as m on m.name = f.mapping
  join crmshift.mapping_subject as s on s.mapping = m.name
 cross join lateral (select array(select f.key[array_position(m.key, k)] from unnest(s.columns) with ordinality as u (k, i) order by i)) as c (columns);
comment on view crmshift.source_subject is 'Which subjects a write on a table is about: columns of the table that give the subject''s key, in its order. mode fill: as a parent only. whole: a row of the table is a row of the subject, not one of several.';

create table crmshift.conflict_policy (
    subject  text not null references crmshift.mapping on delete cascade,
    conflict text not null default 'update' constraint conflict_is_known check (conflict in ('update', 'delete')),
    columns  text[] not null default '{}',
    policy   text not null constraint policy_is_known
             check (policy in ('last_update_wins', 'first_update_wins', 'legacy_wins', 'target_wins', 'manual')
                    or conflict = 'update' and (policy = 'column_merge' or policy like 'function:%')),
    primary key (subject, conflict, columns),
    constraint deletes_concern_the_whole_row check (conflict = 'update' or columns = '{}')
);
comment on table crmshift.conflict_policy is 'What to do where both sides wrote one row while they could not agree. Columns in one group go together. Without a row: column_merge for updates, last_update_wins for deletes.';
comment on column crmshift.conflict_policy.subject is 'The mapping back to the legacy table, e.g. contacts.';
comment on column crmshift.conflict_policy.conflict is 'update: both sides changed the row, or both inserted it. delete: one deleted it, the other changed it.';
comment on column crmshift.conflict_policy.columns is 'Legacy columns of the group; empty: all that no other group names.';
comment on column crmshift.conflict_policy.policy is 'last_update_wins, first_update_wins, legacy_wins, target_wins: the group goes to one side. column_merge: each column by itself, the later write where both changed it. function:<name>: a function (subject text, key jsonb, before jsonb, legacy jsonb, target jsonb) returns jsonb, the values that stand. manual: it waits for crmshift.resolve().';
