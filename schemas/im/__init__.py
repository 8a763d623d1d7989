"""The IM server API: its bodies, codes, signatures and ids."""
