"""The error codes of the IM server API, each with its text, in one table.

`contracts/im.yaml` (x-errors, x-common-errors) and `contracts/im-accounts.yaml` are the
source; a test holds the table against them. Each code stands under the reason that
metrics count it by.
"""

from collections.abc import Mapping

import msgspec

from schemas.errors import Refused

OK = 0

_BY_REASON: dict[str, dict[int, str]] = {
    "bad_json": {
        60003: "HTTP body JSON could not be parsed",
        90001: "Body is not valid JSON",
        130001: "JSON parse error",
    },
    "bad_field": {
        1001: "Malformed request or wrong request URL",
        10004: "Invalid parameter",
        10005: "Too many accounts in the request",
        10008: "Illegal request, possibly a bad signature",
        10015: "Invalid group ID",
        10020: "Message too long, 8000 bytes at most",
        23002: "Too many extension pairs on this message",
        30001: "Invalid request parameter",
        30002: "SDKAppID mismatch",
        40001: "Invalid request parameter",
        40009: "Profile field Tag does not exist",
        40601: "Field value longer than 500 bytes",
        40605: "Invalid value for a standard field",
        40610: "Value type does not match the field",
        50002: "Invalid request parameter",
        60002: "HTTP request could not be parsed, check the URL format",
        60012: "sdkappid is missing",
        60015: "UserID in the body has the wrong type, must be a string",
        70402: "Invalid parameter",
        80002: "Message body too long, 8000 bytes at most",
        90002: "MsgBody malformed or not an array",
        90003: "To_Account missing, of wrong type, or account does not exist",
        90004: "MsgSeq is invalid",
        90005: "MsgRandom missing or not an integer",
        90006: "MsgTimeStamp missing or not an integer",
        90007: "MsgBody is not an array",
        90008: "From_Account missing, of wrong type, or account does not exist",
        90010: "Body does not match the message format",
        90011: "More than 500 target accounts",
        90018: "Too many accounts in the request",
        90020: "Tag or attribute longer than 50 bytes",
        90022: "TagsOr and TagsAnd contain a duplicate tag",
        90026: "MsgLifeTime longer than 7 days",
        90030: "SyncFromOldSystem missing or not an integer",
        90031: "SyncOtherMachine is not an integer",
        90032: "More than 10 tags in the push condition or tag request",
        90033: "Attribute is invalid",
        90035: "Account is invalid",
        90039: "Tag and attribute conditions cannot be combined",
        90040: "A tag in the condition is empty",
        90041: "Attribute name is not defined",
        90043: "OfflinePushInfo malformed",
        90044: "MsgLifeTime is not an integer",
        90054: "MsgKey is illegal",
        110003: "Illegal topic ID",
        130002: "Get_Account is missing",
        130003: "Get_Account is invalid",
        130004: "Set_Account is missing",
        130005: "Set_Account is invalid",
        130008: "At least one of C2CmsgNospeakingTime and GroupmsgNospeakingTime is required",
    },
    "too_large": {
        93000: "JSON packet too long, message body at most 8 KB",
    },
    "unauthenticated": {
        60004: "Account or signature in the URL or body could not be verified",
        60005: "Account or signature in the URL or body could not be verified",
        60006: "SDKAppID in the request is invalid or unknown",
        70002: "UserSig length is 0",
        70016: "Key for UserSig not found",
        70020: "SDKAppID not found",
    },
    "bad_signature": {
        70003: "UserSig is invalid or truncated",
        70005: "UserSig is invalid",
        70009: "UserSig verification failed (wrong key)",
        70013: "identifier differs from the one in UserSig",
        70014: "sdkappid differs from the one in UserSig",
    },
    "stale": {
        70001: "UserSig expired",
    },
    "forbidden": {
        1002: "Command not permitted for this account or invalid request",
        10007: "Operation not permitted (role, group type, or caller is not an app admin)",
        10016: "Rejected by the app through a before-event callback",
        10017: "Sender is muted",
        10026: "Command disabled for this SDKAppID",
        10041: "Group recall is disabled for this app",
        11000: "Community feature is not enabled",
        30004: "App admin permission required",
        30009: "Backend forbids this user to send friend requests",
        30515: "Peer is on own blacklist",
        30516: "Peer denies all friend requests",
        30525: "Self is on the peer's blacklist",
        30540: "Friend request blocked by safety policy",
        31707: "Friend deletion blocked by safety policy, too frequent",
        40004: "App admin permission required",
        40005: "Profile contains sensitive words",
        40008: "No write permission on the field",
        50003: "App admin permission required",
        60010: "App admin permission required (identifier is not an admin)",
        60016: "SDKAppID is disabled",
        60017: "Request is disabled",
        60020: "Plan expired or not purchased",
        60021: "Caller IP is not allowed",
        70051: "Account is blocked",
        70403: "App admin permission required",
        80001: "Text rejected by the sensitive word filter",
        90009: "App admin permission required",
        90045: "Push to all is not enabled for this app",
    },
    "not_found": {
        1004: "File not generated yet, or no message in that hour",
        1005: "File expired",
        10003: "Unknown request command",
        10010: "Group does not exist or was dissolved",
        10019: "Account does not exist",
        10030: "Message to recall does not exist",
        10062: "No read receipt information for this message",
        20022: "Message to recall does not exist",
        23004: "Extension key to operate on does not exist",
        30003: "Account does not exist",
        31704: "No friend relation with the account to delete",
        40003: "Account does not exist",
        50001: "Account does not exist",
        60009: "Unknown resource, check the request URL",
        70107: "Account does not exist (not imported)",
        90012: "To_Account is not registered",
        90048: "Account in the request does not exist",
    },
    "conflict": {
        10014: "Group is full",
        10018: "Response would exceed 1 MB, request less",
        10021: "Group ID already in use",
        10025: "Group ID already in use by the same operator, who owns it; reuse it",
        10031: "Message is past the recall time limit",
        10032: "Message does not support recall",
        10033: "Group type does not support recall",
        10036: "Too many AVChatRoom groups for the plan",
        10037: "User created or joined too many groups for the plan",
        10038: "Member count exceeds the plan limit",
        10058: "Trial plan holds at most 100 groups",
        10060: "Group too large for read receipts",
        20023: "Message is already recalled",
        20027: "Message version conflict, fetch the latest message and retry",
        20028: "Concurrent modification conflict, retry",
        23001: "Seq mismatch: fetch the newest extensions and retry with the newest Seq",
        30008: "Concurrent write conflict, use batch calls",
        30010: "Own friend count is at its limit",
        30011: "Friend group (list) limit reached",
        30012: "Pending request limit reached",
        30013: "Blacklist is full",
        30014: "Peer's friend count is at its limit",
        30539: "Request is pending: peer must confirm",
        70398: "Account limit of the plan reached",
        90046: "User has too many tags",
        110002: "Dissolving topics failed or exceeds its limit",
    },
    "too_many": {
        10006: "Operation frequency limit for this object, slow down",
        10023: "Message rate limit hit",
        23003: "Too many extension requests on this message (200 per minute)",
        60007: "REST call frequency limit for this command",
        60011: "REST call frequency limit for this SDKAppID",
        60018: "Too many requests, retry later",
        60019: "Too many requests, retry later",
        70050: "UserSig verification attempts too frequent",
        90024: "Pushes are too frequent, at least 1 second apart",
        90047: "Daily push quota used up (default 100)",
    },
    "internal": {
        1003: "System error",
        10002: "Internal server error, retry",
        30006: "Internal server error, retry",
        30007: "Network timeout, retry",
        40006: "Internal server error, retry",
        50004: "Internal server error, retry",
        50005: "Network timeout, retry",
        60008: "Service timeout or malformed HTTP request",
        60013: "Response JSON could not be parsed",
        60014: "Account conversion timed out",
        70169: "Internal timeout, retry",
        70500: "Internal server error, retry",
        90992: "Backend timeout; or the app callback did not answer correctly",
        90994: "Internal server error, retry",
        90995: "Internal server error, retry",
        91000: "Internal server error, retry",
        130009: "SQL open error",
        130010: "SQL ping error",
        130011: "SQL transaction error",
        130012: "SQL query or scan error",
        130014: "Timeout, retry later",
    },
}


class Code(msgspec.Struct, frozen=True):
    text: str
    reason: str
    """One of `schemas.refusals.REASONS`."""


CODES: Mapping[int, Code] = {
    code: Code(text, reason) for reason, texts in _BY_REASON.items() for code, text in texts.items()
}


_OWN = Code("Refused by the app", "forbidden")
"""What an app's callback gave a code of its own."""


class Failed(Refused):
    """A call that fails with a code of the API's own.

    `info` stands in `ErrorInfo` in place of the code's text. `fields` (a struct) are
    answered beside the envelope: some calls say what failed.
    """

    def __init__(self, code: int, info: str | None = None, fields: msgspec.Struct | None = None) -> None:
        known = CODES.get(code, _OWN)
        super().__init__(known.reason, info or known.text)
        self.code = code
        self.fields = fields


def text_of(code: int) -> str:
    """The text that goes with a code in the result of one item; empty for 0."""
    return CODES[code].text if code else ""
