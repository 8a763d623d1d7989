"""What holds for all unit tests."""

from hypothesis import settings

# Nothing passes or fails by the time it takes: a machine that is busy with other things has slow examples.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
