"""Options, as the catalogue has them and as SQL takes them."""

from __future__ import annotations

import re

from crmshift.compare.ddl.names import literal, quoted
from crmshift.compare.ddl.statement import CannotBeMade


def options(given: tuple[str, ...], verb: str = "") -> str:
    """`options (host 'h')`, of options as the catalogue has them: `host=h`."""
    said = []
    for option in given:
        key, equals, value = option.partition("=")
        if not equals:
            raise CannotBeMade(f"the option {key} may be secret, so its value is not read; set it by hand")
        said.append(f"{verb}{quoted(key)} {literal(value)}")
    return f"options ({', '.join(said)})"


def storage_options(given: tuple[str, ...]) -> str:
    """`fillfactor = 70`, of options as the catalogue has them: `fillfactor=70`."""
    return ", ".join(f"{key} = {_plain(value)}" for key, _, value in (o.partition("=") for o in given))


def _plain(value: str) -> str:
    return value if re.fullmatch(r"[a-z_]+|-?\d+(\.\d+)?", value) else literal(value)
