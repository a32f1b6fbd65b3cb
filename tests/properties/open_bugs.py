"""Bugs that histories have found and that are not mended yet: a history that ends in one of them proves nothing new."""

from __future__ import annotations

import re

KNOWN = {
    "H5: a child of one side and the delete of its parent on the other wait for each other": r"leaves in the queue.*'delete'.*'SH010'",
    "H6: the lead that a refused appointment still makes for its old contact": r"public.leads \S+ \S+ missing.*\('appointments'",
    "H7: an appointment under a lead that passes to another customer meanwhile": r"lead_appointments \S+ \S+ differs lead_id",
    "H8: a demotion and a write of the contact, asynchronous": r"lead_appointments \S+ \S+ extra.*appointments \S+ \S+ missing.*queue: empty",
    "H9, H12: a late TRUNCATE is undone": r"no row was written last.*truncate",
    "H13: a parent that was queued when its table was truncated": r"customers \S+ \S+ extra.*queue: empty.*truncate",
    "H14: a customer that is left without a primary lead": r"disagree:\n--   public.lead_appointments \S+ \S+ missing.*'contacts'",
    "H10: an appointment under a lead that is demoted meanwhile": r"lead_appointments \S+ \S+ missing.*appointments \S+ \S+ extra.*55P03",
    "H11: one statement that writes both sides of one entity": r"(was written last|gave way).*with x as \(update",
}


def is_known(message: str) -> bool:
    return any(re.search(pattern, message, re.DOTALL) for pattern in KNOWN.values())
