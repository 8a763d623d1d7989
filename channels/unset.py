"""A channel that is not set up any more: what was planned for it waits until it is again, or is given up."""

from channels.channel import Came, Message, Receipt, Target


class NotSetUp:
    def __init__(self, setting: str) -> None:
        self._setting = setting

    async def send(self, message: Message, target: Target) -> Receipt:
        return Receipt(came=Came.RETRY, response=f"{self._setting} is not set")
