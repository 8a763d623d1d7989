"""What keeps a child from running; each message is one sentence for whoever typed the command."""


class CannotStart(Exception):
    """A child cannot be started, or never became ready; says why and what to do."""


class NotInstalled(CannotStart):
    """A program or optional package that the child needs is not there."""
