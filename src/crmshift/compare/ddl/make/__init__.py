"""CREATE: one function for each kind. What CREATE cannot say is altered afterwards."""

from __future__ import annotations

from collections.abc import Callable

from crmshift.compare.ddl.make import definitions, seldom, sequences_and_types, tables
from crmshift.compare.ddl.make.definitions import view
from crmshift.compare.ddl.make.options import storage_options
from crmshift.compare.ddl.make.seldom import loose_members, publication_parameters, publication_targets
from crmshift.compare.ddl.make.sequences_and_types import name_of_sequence
from crmshift.compare.ddl.make.tables import columns, identity_options
from crmshift.compare.ddl.statement import CannotBeMade
from crmshift.compare.model import Kind, Object, Schema

__all__ = [
    "columns",
    "create",
    "identity_options",
    "loose_members",
    "made_by_create",
    "name_of_sequence",
    "publication_parameters",
    "publication_targets",
    "storage_options",
    "view",
]

EVERYWHERE = frozenset({"owner", "grants", "comment", "security label", "depends on extensions"})
"""Attributes that objects of all kinds have, and no CREATE sets."""

LATER = {
    Kind.TABLE: {
        *("replica identity", "row-level security", "row-level security for the owner", "partition of", "bounds"),
    },
    Kind.COLUMN: {"statistics target", "storage", "compression", "options", "comment on not null"},
    Kind.CONSTRAINT: {
        *("index options", "index tablespace", "clustered", "comment on index", "triggers", "index"),
        "index is part of",
    },
    Kind.INDEX: {"clustered", "statistics targets", "part of", "tablespace", "valid"},
    Kind.TRIGGER: {"fires"},
    Kind.RULE: {"fires"},
    Kind.EVENT_TRIGGER: {"fires"},
    Kind.SEQUENCE: {"owned by"},
    Kind.STATISTICS: {"statistics target"},
    Kind.OPERATOR_FAMILY: {"operators", "functions"},
    Kind.TEXT_SEARCH_CONFIGURATION: {"mappings"},
}
"""What is altered after CREATE, by kind."""

OWN_STEP = {
    (Kind.TABLE, "partition of"),
    (Kind.TABLE, "bounds"),
    (Kind.TABLE, "replica identity"),
    (Kind.SEQUENCE, "owned by"),
    (Kind.CONSTRAINT, "index is part of"),
    (Kind.INDEX, "part of"),
    (Kind.OPERATOR_FAMILY, "operators"),
    (Kind.OPERATOR_FAMILY, "functions"),
}
"""Of these, what must wait for other objects."""


def made_by_create(o: Object, attribute: str) -> bool:
    """Whether CREATE sets an attribute."""
    return attribute not in EVERYWHERE and attribute not in LATER.get(o.identity.kind, ())


def create(o: Object, schema: Schema) -> str:
    """The statement that makes an object. Raises `CannotBeMade`."""
    maker = _MAKERS.get(o.identity.kind)
    if maker is None:
        raise CannotBeMade(f"crmshift does not know how a {o.identity.kind} is made")
    return maker(o, schema)


_MAKERS: dict[Kind, Callable[[Object, Schema], str]] = {
    Kind.SCHEMA: seldom.schema,
    Kind.EXTENSION: seldom.extension,
    Kind.ENUM: sequences_and_types.enum,
    Kind.DOMAIN: sequences_and_types.domain,
    Kind.COMPOSITE_TYPE: sequences_and_types.composite_type,
    Kind.RANGE: sequences_and_types.range,
    Kind.BASE_TYPE: sequences_and_types.base_type,
    Kind.COLLATION: seldom.collation,
    Kind.SEQUENCE: sequences_and_types.sequence,
    Kind.TABLE: tables.create_table,
    Kind.FOREIGN_TABLE: tables.create_table,
    Kind.VIEW: definitions.make_view,
    Kind.MATERIALIZED_VIEW: definitions.materialized_view,
    Kind.COLUMN: tables.create_column,
    Kind.CONSTRAINT: tables.create_constraint,
    Kind.INDEX: definitions.printed,
    Kind.STATISTICS: definitions.printed,
    Kind.TRIGGER: definitions.printed,
    Kind.RULE: definitions.printed,
    Kind.POLICY: definitions.policy,
    Kind.FUNCTION: definitions.printed,
    Kind.PROCEDURE: definitions.printed,
    Kind.AGGREGATE: seldom.aggregate,
    Kind.OPERATOR: seldom.operator,
    Kind.OPERATOR_CLASS: seldom.operator_class,
    Kind.OPERATOR_FAMILY: seldom.operator_family,
    Kind.CAST: seldom.cast,
    Kind.CONVERSION: seldom.conversion,
    Kind.TEXT_SEARCH_CONFIGURATION: seldom.text_search_configuration,
    Kind.TEXT_SEARCH_DICTIONARY: seldom.text_search_dictionary,
    Kind.TEXT_SEARCH_PARSER: seldom.text_search_parser,
    Kind.TEXT_SEARCH_TEMPLATE: seldom.text_search_template,
    Kind.LANGUAGE: seldom.language,
    Kind.TRANSFORM: seldom.transform,
    Kind.ACCESS_METHOD: seldom.access_method,
    Kind.FOREIGN_DATA_WRAPPER: seldom.foreign_data_wrapper,
    Kind.SERVER: seldom.server,
    Kind.USER_MAPPING: seldom.user_mapping,
    Kind.EVENT_TRIGGER: seldom.event_trigger,
    Kind.PUBLICATION: seldom.publication,
    Kind.SUBSCRIPTION: seldom.subscription,
}
