"""The services of the API: how each wraps its answers, and its codes for what the frame finds wrong.

contracts/im-semantics.md, sections 1 and 2. What a service has no code for has one of the
gateway's, 60002 to 60028.
"""

import msgspec


class Service(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """As in the path, /v4/NAME/COMMAND."""
    not_admin: int = 60010
    bad_json: int = 60003
    bad_field: int = 60002
    too_large: int = 60002
    internal: int = 60008
    """Worth a retry: what a client is told of a defect, or of Kafka or MongoDB being away."""
    display: bool = False
    """Answers have `ErrorDisplay`."""
    status: bool = True
    """Answers have `ActionStatus`."""


OPENIM = Service(name="openim", not_admin=90009, bad_json=90001, bad_field=90010, too_large=93000, internal=91000)
MESSAGE_EXTENSIONS = Service(
    name="openim_msg_ext_http_svc", not_admin=90009, bad_json=90001, bad_field=10004, internal=91000
)
PUSH = Service(
    name="all_member_push", not_admin=90009, bad_json=90001, bad_field=90010, too_large=93000, internal=91000
)
PROFILE = Service(name="profile", not_admin=40004, bad_field=40001, internal=40006, display=True)
SNS = Service(name="sns", not_admin=30004, bad_field=30001, internal=30006, display=True)
RECENT_CONTACT = Service(name="recentcontact", not_admin=50003, bad_field=50002, internal=50004, display=True)
LOGIN = Service(name="im_open_login_svc", not_admin=70403, bad_field=70402, internal=70500)
CONFIG = Service(name="openconfigsvr", bad_json=130001, bad_field=130001, internal=130014, status=False)
HISTORY = Service(name="open_msg_svc", not_admin=1002, bad_json=1001, bad_field=1001, internal=1003)
ADDRESSES = Service(name="ConfigSvc")
NONE = Service(name="none")
"""What is called is no service."""
