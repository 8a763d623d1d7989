"""What an operator does with a dead letter, by HTTP and by command line alike."""

from datetime import datetime
from typing import Protocol

from handlers.letters import Unseal, record_of
from schemas.errors import Refused
from schemas.events import Record
from stores.dead_letters import DeadLetters, Letter, State


class Sends(Protocol):
    async def send(self, record: Record) -> None:
        """Return when Kafka has the record. Raises BrokerAway; it may be written then."""
        ...


async def replay(letters: DeadLetters, sender: Sends, letter_id: str, now: datetime, unseal: Unseal) -> None:
    """Put the record back where it came from, and close its letter. Refuses what is not open, or cannot be opened.

    Written first, closed after: a crash between the two leaves the letter open, and
    replaying it again writes the same event twice, of which identity counts one.
    """
    letter = await _open_letter(letters, letter_id)
    await sender.send(record_of(letter.letter, unseal))
    await _close(letters, letter_id, State.REPLAYED, now)


async def discard(letters: DeadLetters, letter_id: str, now: datetime) -> None:
    """Close the letter; its record is not written again. Refuses what is not open."""
    await _open_letter(letters, letter_id)
    await _close(letters, letter_id, State.DISCARDED, now)


async def _open_letter(letters: DeadLetters, letter_id: str) -> Letter:
    letter = await find(letters, letter_id)
    if letter.state != State.OPEN:
        raise Refused("conflict", f"dead letter {letter_id} is {letter.state} already")
    return letter


async def find(letters: DeadLetters, letter_id: str) -> Letter:
    """The letter. Refuses an id that is not known."""
    letter = await letters.find(letter_id)
    if letter is None:
        raise Refused("not_found", f"no dead letter {letter_id}")
    return letter


async def _close(letters: DeadLetters, letter_id: str, state: State, now: datetime) -> None:
    if not await letters.close(letter_id, state, now):
        raise Refused("conflict", f"dead letter {letter_id} was closed by somebody else meanwhile")
