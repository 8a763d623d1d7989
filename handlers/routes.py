"""Which handler folds which type of event: the whole table."""

from handlers.letters import keep_letter
from handlers.outcome import Route
from schemas.letter import DeadLettered

ROUTES: dict[str, Route] = {
    "event.dead-lettered": Route(DeadLettered, keep_letter),
}
