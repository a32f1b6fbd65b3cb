"""What A is to become: A with what the comparison says of B, and nothing else.

What was left out of the comparison stays as A has it.
"""

from __future__ import annotations

from dataclasses import replace

from crmshift.compare.difference import Change, Comparison
from crmshift.compare.model import Identity, Object, Schema, Value

NOT_A_PROPERTY = "order of columns"
"""It differs where it was asked for, and no table can be given another."""


def target(a: Schema, comparison: Comparison) -> Schema:
    """A as a whole, changed as the comparison says. a: may hold more than what was compared."""
    b = comparison.b
    objects = dict(a.by_identity)
    # One that goes may leave its name to another kind.
    for d in sorted(comparison.differences, key=lambda d: d.new is not None):
        if d.new is None:
            objects.pop(d.identity, None)
            for o in a.children(d.identity.schema, d.identity.name) if _holds(a, d.identity) else ():
                objects.pop(o.identity, None)
        elif d.old is None:
            objects[d.identity] = _added(d.new, a, b)
            for o in b.children(d.identity.schema, d.identity.name) if _holds(b, d.identity) else ():
                objects[o.identity] = _added(o, a, b)
        elif d.identity in objects:
            objects[d.identity] = _changed(objects[d.identity], d.new, d.changes)
    changed = Schema.of("", a.version, objects.values())
    for o in (*a.objects, *b.objects):
        if not o.derived:
            continue
        if o.identity not in b.by_identity and _of_a_relation(o, b):
            objects.pop(o.identity, None)  # what it comes from is gone, or has another shape
        elif o.identity not in objects and changed.holder(o.identity) is not None:
            objects[o.identity] = o
    return Schema.of(f"{a.name}, made equal to {b.name}", a.version, objects.values(), a.loaded_by)


def _of_a_relation(o: Object, schema: Schema) -> bool:
    return schema.holder(o.identity) is not None


def _holds(schema: Schema, identity: Identity) -> bool:
    return any(schema.holder(o.identity) == identity for o in schema.children(identity.schema, identity.name))


def _added(o: Object, a: Schema, b: Schema) -> Object:
    """An object of B; whom files name no owner for belongs to whoever makes it."""
    if b.loaded_by is not None and a.loaded_by is None and o.attributes.get("owner") == b.loaded_by:
        return replace(o, attributes={k: v for k, v in o.attributes.items() if k != "owner"})
    return o


def _changed(old: Object, new: Object, changes: tuple[Change, ...]) -> Object:
    attributes: dict[str, Value] = dict(old.attributes)
    for change in changes:
        if change.attribute == NOT_A_PROPERTY:
            continue
        value = change.new
        if change.elements is not None and change.attribute == "grants":  # others' grants were not compared
            gone, come = change.elements
            kept = [g for g in old.attributes.get(change.attribute, ()) if g not in gone]
            value = tuple(dict.fromkeys([*kept, *come])) or None
        if value is None:
            attributes.pop(change.attribute, None)
        else:
            attributes[change.attribute] = value
    order = list(dict.fromkeys([*new.attributes, *old.attributes]))
    attributes = {k: attributes[k] for k in sorted(attributes, key=order.index)}
    return replace(old, attributes=attributes, details=new.details, depends_on=new.depends_on)
