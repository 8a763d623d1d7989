"""Why a change of statements, invoices or payments is refused: codes of the envelope, 40930 to 40940."""

NOT_CONFIRMED = 40930
"""The payment names a statement that may still change: it settles nothing before that is confirmed."""
STATEMENT_STATE = 40931
"""The statement is in a state that has no such move."""
HAS_MONEY = 40932
"""Invoices were made of it, or payments settled it: it cannot be voided or deleted any more."""
NOT_MERGED = 40933
"""Lines of different products, of different statements, or only one: they do not make one line."""
OVER_LIMIT = 40934
"""More than is open: more would be invoiced than may be, or the limit would fall below what is invoiced already."""
NOTHING_OPEN = 40935
"""There is nothing that could be confirmed or invoiced."""
INVOICE_STATE = 40936
"""The invoice is in a state that has no such move."""
PAYMENT_STATE = 40937
"""The payment was audited already."""
NO_FILE = 40938
"""The attachment named is not one of this statement, or has not been made."""
SEVERAL_CUSTOMERS = 40939
"""One invoice or payment is of one customer."""
CHANGED_MEANWHILE = 40940
"""Others kept changing it at the same moment: look at it, and ask again."""
