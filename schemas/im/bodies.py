"""What all bodies of the API have in common: a request ignores unknown fields, an answer leaves out what is unset."""

import msgspec

from schemas.im.names import api_name


class Request(msgspec.Struct, frozen=True, kw_only=True, rename=api_name):
    """A request body. Fields that it does not name are ignored (semantics, section 1)."""


class Fields(msgspec.Struct, frozen=True, kw_only=True, rename=api_name):
    """What an answer has beside its envelope, or a part of that."""


class Nothing(Request, frozen=True, kw_only=True):
    """The body of a call without arguments."""
