"""ALTER: for each kind and attribute the statements that take it from one value to another.

What has none is made anew: `alter` raises `Remake`.
"""

from __future__ import annotations

from crmshift.compare.ddl.address import ROUTINES
from crmshift.compare.ddl.alter import columns, constraints, everywhere, routines, seldom, sequences_and_types, tables
from crmshift.compare.ddl.alter.alteration import Alter, Alteration, Remake
from crmshift.compare.ddl.alter.constraints import validate
from crmshift.compare.ddl.alter.tables import attach, let_go
from crmshift.compare.ddl.statement import Statement
from crmshift.compare.model import Kind

__all__ = ["Alteration", "Remake", "alter", "attach", "let_go", "validate"]


def alter(a: Alteration) -> list[Statement]:
    """The statements that change one attribute. Raises `Remake` where there are none, and `CannotBeMade`."""
    found = _EVERYWHERE.get(a.change.attribute) or _BY_KIND.get((a.now.identity.kind, a.change.attribute))
    if found is None:
        raise Remake
    return found(a)


_EVERYWHERE: dict[str, Alter] = {
    "owner": everywhere.owner,
    "grants": everywhere.rights,
    "comment": everywhere.comment,
    "security label": everywhere.security_label,
    "depends on extensions": everywhere.extensions,
}

_ROUTINE_ATTRIBUTES = (
    *("arguments", "returns", "language", "window", "volatility", "strict", "security", "leakproof", "parallel"),
    *("cost", "rows", "support", "settings", "transforms", "library", "body"),
)

_BY_KIND: dict[tuple[Kind, str], Alter] = {
    (Kind.TABLE, "persistence"): tables.persistence,
    (Kind.TABLE, "inherits"): tables.inherits,
    (Kind.TABLE, "of type"): tables.of_type,
    (Kind.TABLE, "access method"): tables.access_method,
    (Kind.MATERIALIZED_VIEW, "access method"): tables.access_method,
    (Kind.TABLE, "tablespace"): tables.tablespace,
    (Kind.MATERIALIZED_VIEW, "tablespace"): tables.tablespace,
    (Kind.TABLE, "options"): tables.options,
    (Kind.VIEW, "options"): tables.options,
    (Kind.MATERIALIZED_VIEW, "options"): tables.options,
    (Kind.TABLE, "replica identity"): tables.replica_identity,
    (Kind.TABLE, "row-level security"): tables.row_level_security,
    (Kind.TABLE, "row-level security for the owner"): tables.row_level_security_forced,
    (Kind.TABLE, "partition of"): tables.place_partition,
    (Kind.TABLE, "bounds"): tables.place_partition,
    (Kind.INDEX, "part of"): constraints.part_of_index,
    (Kind.CONSTRAINT, "index is part of"): constraints.part_of_constraint,
    (Kind.FOREIGN_TABLE, "foreign options"): tables.foreign_options,
    (Kind.FOREIGN_TABLE, "inherits"): tables.inherits,
    (Kind.COLUMN, "type"): columns.column_type,
    (Kind.COLUMN, "collation"): columns.collation,
    (Kind.COLUMN, "not null"): columns.not_null,
    (Kind.COLUMN, "default"): columns.default,
    (Kind.COLUMN, "generated"): columns.generated,
    (Kind.COLUMN, "identity"): columns.identity,
    (Kind.COLUMN, "storage"): columns.storage,
    (Kind.COLUMN, "compression"): columns.compression,
    (Kind.COLUMN, "statistics target"): columns.statistics_target,
    (Kind.COLUMN, "options"): columns.column_options,
    (Kind.COLUMN, "foreign options"): tables.foreign_options,
    (Kind.COLUMN, "inherited"): columns.inherited,
    (Kind.COLUMN, "comment on not null"): columns.comment_on_not_null,
    (Kind.CONSTRAINT, "deferrable"): constraints.deferrable,
    (Kind.CONSTRAINT, "validated"): constraints.validated,
    (Kind.CONSTRAINT, "index options"): constraints.index_options,
    (Kind.CONSTRAINT, "index tablespace"): constraints.index_tablespace,
    (Kind.CONSTRAINT, "clustered"): constraints.clustered,
    (Kind.CONSTRAINT, "comment on index"): constraints.comment_on_index,
    (Kind.CONSTRAINT, "triggers"): constraints.triggers_of_constraint,
    (Kind.CONSTRAINT, "index"): constraints.index_is_invalid,
    (Kind.INDEX, "clustered"): constraints.clustered,
    (Kind.INDEX, "valid"): constraints.index_valid,
    (Kind.INDEX, "statistics targets"): constraints.index_statistics,
    (Kind.INDEX, "tablespace"): constraints.index_in_tablespace,
    (Kind.TRIGGER, "definition"): routines.trigger,
    (Kind.TRIGGER, "fires"): routines.trigger_fires,
    (Kind.RULE, "definition"): routines.rule,
    (Kind.RULE, "fires"): routines.rule_fires,
    (Kind.POLICY, "to"): routines.policy,
    (Kind.POLICY, "using"): routines.policy,
    (Kind.POLICY, "with check"): routines.policy,
    **{(kind, attribute): routines.routine for kind in ROUTINES for attribute in _ROUTINE_ATTRIBUTES},
    (Kind.VIEW, "definition"): routines.view,
    (Kind.SEQUENCE, "type"): sequences_and_types.sequence_bounds,
    (Kind.SEQUENCE, "start"): sequences_and_types.sequence_bounds,
    (Kind.SEQUENCE, "minimum"): sequences_and_types.sequence_bounds,
    (Kind.SEQUENCE, "maximum"): sequences_and_types.sequence_bounds,
    (Kind.SEQUENCE, "increment"): sequences_and_types.sequence_bounds,
    (Kind.SEQUENCE, "cache"): sequences_and_types.sequence("cache {}"),
    (Kind.SEQUENCE, "cycle"): sequences_and_types.sequence_cycle,
    (Kind.SEQUENCE, "persistence"): sequences_and_types.sequence_persistence,
    (Kind.SEQUENCE, "owned by"): sequences_and_types.sequence_owned_by,
    (Kind.ENUM, "labels"): sequences_and_types.labels,
    (Kind.COMPOSITE_TYPE, "fields"): sequences_and_types.fields,
    (Kind.DOMAIN, "default"): sequences_and_types.domain_default,
    (Kind.DOMAIN, "not null"): sequences_and_types.domain_not_null,
    (Kind.STATISTICS, "statistics target"): seldom.statistics_target_of_statistics,
    (Kind.OPERATOR_FAMILY, "operators"): seldom.members,
    (Kind.OPERATOR_FAMILY, "functions"): seldom.members,
    (Kind.TEXT_SEARCH_CONFIGURATION, "mappings"): seldom.mappings,
    (Kind.TEXT_SEARCH_DICTIONARY, "options"): seldom.dictionary_options,
    (Kind.SERVER, "version"): seldom.server_version,
    (Kind.SERVER, "options"): tables.foreign_options,
    (Kind.FOREIGN_DATA_WRAPPER, "options"): tables.foreign_options,
    (Kind.FOREIGN_DATA_WRAPPER, "handler"): seldom.wrapper_function,
    (Kind.FOREIGN_DATA_WRAPPER, "validator"): seldom.wrapper_function,
    (Kind.USER_MAPPING, "options"): tables.foreign_options,
    (Kind.EXTENSION, "schema"): seldom.extension_schema,
    (Kind.EXTENSION, "version"): seldom.extension_version,
    (Kind.EVENT_TRIGGER, "fires"): seldom.event_trigger_fires,
    (Kind.PUBLICATION, "publishes"): seldom.publication_parameters,
    (Kind.PUBLICATION, "via partition root"): seldom.publication_parameters,
    (Kind.PUBLICATION, "generated columns"): seldom.publication_parameters,
    (Kind.PUBLICATION, "tables"): seldom.publication_targets,
    (Kind.PUBLICATION, "schemas"): seldom.publication_targets,
}
