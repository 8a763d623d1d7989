"""Why a change of alerts, their contacts or batch tasks is refused: codes of the envelope, 4094x."""

LAST_CONTACT = 40941
"""An alert or a wallet would be left with nobody to tell."""
NO_DEFAULT_CONTACT = 40942
"""No contact is named, and none is the default one."""
TASK_STATE = 40943
"""The task is in a state that has no such move."""
NO_ENDPOINT = 40944
"""The product has no address to be called at."""
NO_ACCOUNT = 40945
"""The customer has no account that may call the product."""
CALL_FAILED = 40946
"""The product's endpoint did not answer."""
BAD_SAMPLE = 40947
"""The sample file cannot be used."""
NO_RESULT = 40948
"""There is no result to download: not yet, or not any more."""
TOO_MANY_CONTACTS = 40949
"""A customer has as many contacts as are kept."""
