"""Why a change of wallets, accounts or contracts is refused: codes of the envelope, 4092x."""

CONFIRM_RECHARGE = 40921
"""The same amount was put into the wallet by hand a moment ago: send `confirmed` if it is meant."""
APP_TAKEN = 40922
"""Another wallet of the customer is reserved for the app."""
NOT_ITSELF = 40923
"""A wallet cannot be merged into itself, or into another customer's."""
MERGED_ALREADY = 40924
"""The wallet was merged away, or takes part in another merge right now."""
NO_WALLET = 40925
"""The customer has no wallet, so nothing can be recharged."""
ACCOUNT_THERE = 40926
"""The customer has an account in this environment already."""
NO_SIGNING = 40927
"""The contract has no link to sign it by, or is signed."""
UNKNOWN_CONTACT = 40928
"""A contact that the customer does not have."""
CHANGED_MEANWHILE = 40929
"""Somebody else changed it at the same moment, again and again."""
