"""A schema as a JSON file: to compare with later, or elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crmshift import __version__
from crmshift.compare.model import Identity, Kind, Object, Schema, values
from crmshift.errors import UsageError
from crmshift.project import read

FORMAT_VERSION = "1.0"


def save(schema: Schema, path: Path) -> None:
    """Write a snapshot. Raises `UsageError` where the file cannot be written."""
    document = {
        "format_version": FORMAT_VERSION,
        "crmshift": __version__,
        "postgresql": schema.version,
        "name": schema.name,
        "loaded_by": schema.loaded_by,
        "objects": [
            {
                **identity_as_json(o.identity),
                "attributes": dict(o.attributes),
                "details": dict(o.details),
                "depends_on": [identity_as_json(i) for i in sorted(o.depends_on, key=lambda i: i.sort_key)],
                "derived": o.derived,
            }
            for o in schema.objects
        ],
    }
    try:
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}.") from error


def load(path: Path) -> Schema:
    """Read a snapshot. Raises `UsageError` where the file is none, or is of another version."""
    hint = "Make one with crmshift compare --snapshot FILE."
    try:
        document = json.loads(read(path))
        version = str(document["format_version"])
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path} is not a snapshot of a schema.", hint=hint) from None
    if version != FORMAT_VERSION:
        raise UsageError(f"{path} is a snapshot of version {version}; this crmshift reads {FORMAT_VERSION}.", hint=hint)
    try:
        objects = map(_object, document["objects"])
        return Schema.of(document["name"], int(document["postgresql"]), objects, document["loaded_by"])
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path} is not a whole snapshot of a schema.", hint=hint) from None


def identity_as_json(identity: Identity) -> dict[str, str]:
    """An identity, for a JSON document."""
    return {
        "kind": identity.kind.value,
        "schema": identity.schema,
        "parent": identity.parent,
        "name": identity.name,
    }


def _identity(row: dict[str, Any]) -> Identity:
    return Identity(Kind(row["kind"]), row["schema"], row["parent"], row["name"])


def _object(row: dict[str, Any]) -> Object:
    return Object(
        _identity(row),
        values(row["attributes"]),
        values(row["details"]),
        frozenset(_identity(i) for i in row["depends_on"]),
        row["derived"],
    )
