"""What the catalogue says of one type of event."""

import msgspec


class EventType(msgspec.Struct, frozen=True):
    """Its name (past tense: a fact), the payload it carries, and a sentence for the catalogue."""

    name: str
    payload: type[msgspec.Struct]
    summary: str
    key: str | None = None
    """Field of the payload that the subject repeats; None where only the sender knows the subject."""
    internal: bool = False
    """Published by Fanfold alone: `POST /events` refuses it."""
    own_fields: tuple[str, ...] = ()
    """Fields of the payload that Fanfold alone fills in: `POST /events` refuses events that have them."""

    @property
    def key_as_sent(self) -> str | None:
        """The key's name in JSON."""
        names = {field.name: field.encode_name for field in msgspec.structs.fields(self.payload)}
        return None if self.key is None else names[self.key]
