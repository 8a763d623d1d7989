"""ConfigSvc: where the servers are."""

from schemas.im.bodies import Fields


class Addresses(Fields, frozen=True, kw_only=True):
    ip_list: tuple[str, ...]
