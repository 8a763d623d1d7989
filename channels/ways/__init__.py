"""The channels there are: each module here is one, and defines `WAY`."""
