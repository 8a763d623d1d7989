"""The records of calls, and what is asked of them."""
