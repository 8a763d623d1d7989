"""Why a request is refused: one name per reason, the same in metrics, documents and code.

The HTTP status is the same in every system; the code inside the envelope is the
system's own.
"""

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    status: int
    summary: str


REASONS: dict[str, Refusal] = {
    "bad_json": Refusal(400, "the body is not JSON, or not an object"),
    "bad_field": Refusal(400, "a field is missing, of the wrong type or out of range; the message names it"),
    "unauthenticated": Refusal(401, "no access token, or one that is not known"),
    "bad_signature": Refusal(401, "the signature does not fit the body, or the secretId is not known"),
    "stale": Refusal(401, "the timestamp is too far from now"),
    "forbidden": Refusal(403, "known, but not allowed to do this"),
    "not_found": Refusal(404, "no such path, or no such thing"),
    "method_not_allowed": Refusal(405, "the path exists for other methods"),
    "conflict": Refusal(409, "the state of the thing does not allow this"),
    "too_slow": Refusal(408, "the body did not arrive in time"),
    "too_large": Refusal(413, "the body is larger than the limit"),
    "wrong_content_type": Refusal(415, "the body is not declared as JSON"),
    "too_many": Refusal(429, "more calls than the limit allows, try again"),
    "not_configured": Refusal(501, "this needs a setting that is not set; the message names it"),
    "broker_away": Refusal(503, "Kafka does not answer: nothing was stored, try again"),
    "store_away": Refusal(503, "MongoDB does not answer: nothing was stored, try again"),
    "stopping": Refusal(503, "this process is stopping: try again"),
    "internal": Refusal(500, "a defect; it has been logged under the trace id"),
}
