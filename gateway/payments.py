"""POST /callbacks/payments: the payment system says that a recharge order was paid.

Signed as Standard Webhooks 1.0 has it, with a secret that both sides share. Success is answered
once Kafka has the fact; which order it pays, and whether the amount is right, is looked at
after that, so no payment that was told is lost. Told twice, it counts once.
"""

import hmac
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus

import msgspec
from pydantic import SecretStr

from channels.signing import signatures
from config.settings import MeteringSettings
from gateway.events import problem
from gateway.system import Answer, Call, Operation, Reply, System
from schemas.errors import Refused
from schemas.events import Event
from schemas.mt.common import price_of
from schemas.mt.wallets import PaymentNotice
from schemas.wallet import MAX_MICRO, RechargePaid

PATH = "/callbacks/payments"
SETTING = "FANFOLD_METERING__PAYMENTS_SECRETS"
TOLERANCE = timedelta(minutes=5)
"""How far a signature's time may be from ours (Standard Webhooks, "Verifying webhook authenticity")."""


class Received(msgspec.Struct, frozen=True):
    received: bool = True


class PaymentNotices:
    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        self._secrets = [secret.get_secret_value() for secret in secrets]

    def authenticate(self, call: Call) -> None:
        """Refuses not_configured, bad_signature and stale."""
        if not self._secrets:
            raise Refused("not_configured", f"{SETTING} is not set: nobody can tell of payments")
        message_id, stamp = call.headers.get("webhook-id", ""), call.headers.get("webhook-timestamp", "")
        if not (message_id and stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
            raise Refused("bad_signature", "webhook-id, and webhook-timestamp in seconds since 1970, are expected")
        if abs(call.received_at.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
            raise Refused("stale", "webhook-timestamp is too far from now")
        try:
            good = signatures(self._secrets, message_id, int(stamp), call.raw_bytes).split()
        except UnicodeEncodeError:
            raise Refused("bad_signature", "webhook-id is not UTF-8") from None
        given = call.headers.get("webhook-signature", "").split()
        # All pairs are compared, so that how long it takes tells nothing.
        fitting = [hmac.compare_digest(ours.encode(), one.encode("utf-8", "replace")) for ours in good for one in given]
        if not any(fitting):
            raise Refused("bad_signature", "webhook-signature does not fit the body")

    async def take(self, call: Call) -> Reply:
        notice: PaymentNotice = call.body
        amount_micro = price_of(notice.amount, "amount")
        if not 0 < amount_micro < MAX_MICRO:
            raise Refused("bad_field", "amount: more than 0 is expected")
        paid = RechargePaid(
            pay_no=notice.pay_no,
            payment_no=notice.payment_no,
            amount_micro=amount_micro,
            paid_at=notice.paid_at or call.received_at,
            pay_method=notice.pay_method,
        )
        event = Event(
            id=f"payment/{notice.payment_no}",
            source="payments",
            type="recharge.paid",
            subject=notice.pay_no,
            time=call.received_at,
            data=msgspec.json.encode(paid),
            traceparent=call.traceparent,
        )
        return Reply(Received(), (event,))


def payments_system(settings: MeteringSettings) -> System:
    notices = PaymentNotices(settings.payments_secrets)
    return System(
        name="payments",
        prefix=PATH,
        operations=(
            Operation(
                operation_id="takePaymentNotice",
                method="POST",
                path=PATH,
                handle=notices.take,
                authenticate=notices.authenticate,
                body=PaymentNotice,
                success_status=HTTPStatus.OK,
                security=("signature",),
            ),
        ),
        succeed=lambda data, status: Answer(status, msgspec.json.encode(data)),
        refuse=problem,
        contract="payments.yaml",
        security_schemes={
            "signature": {
                "type": "apiKey",
                "in": "header",
                "name": "webhook-signature",
                "description": "Standard Webhooks 1.0: HMAC-SHA256 over webhook-id, webhook-timestamp and the body.",
            }
        },
    )
