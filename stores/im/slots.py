"""Slots: every user has one of 65,536, so that all users of an app can be walked through in pieces of about one size.

A piece is the same again however often it is walked, and an index finds it, wherever in the app it is.
"""

import hashlib

SLOTS = 65_536


def slot_of(user: str) -> int:
    return int.from_bytes(hashlib.sha256(user.encode()).digest()[:2])
