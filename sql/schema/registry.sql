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

create table crmshift.feed (
    mapping text not null references crmshift.mapping on delete cascade,
    source  text not null,
    key            text[] not null,
    mode    text not null constraint mode_is_known check (mode in ('sync', 'fill')),
    prepare text,
    primary key (mapping, source)
);
comment on table crmshift.feed is 'Which tables a mapping reads, so that a write there reaches it.';
comment on column crmshift.feed.source is 'Table whose writes matter, schema-qualified.';
comment on column crmshift.feed.key is 'Columns of the source that give the key of the mapping, in its order.';
comment on column crmshift.feed.mode is 'sync: the row is written anew. fill: it is only made sure to exist, as the parent of something else.';
comment on column crmshift.feed.prepare is 'Function called with the keys before the row is written, e.g. to choose a primary lead.';
