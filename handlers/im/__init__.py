"""How the facts of the IM server API are folded."""
