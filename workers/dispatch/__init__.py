"""The dispatcher's parts."""
