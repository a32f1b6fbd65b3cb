EXAMPLES = ""


def demo() -> None:
    """Placeholder until the demo lands in this change."""
