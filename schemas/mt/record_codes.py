"""Codes of refusals about call records and cache entries (`schemas.mt.codes`)."""

RECORD_NOT_FOUND = 40451
CACHE_NOT_FOUND = 40452
NOTHING_TO_COMPENSATE = 40951
