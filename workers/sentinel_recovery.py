"""Faust's recovery of tables, in an order that loses nothing.

Faust lets a stream's partitions go, and seeks to what is committed only then: what it fetches in between
reaches the agents before the tables are whole, and what is fetched again after the seek is dropped as read.
While all partitions are held back it asks for those of an empty set, which its client takes for all of them,
drops what comes, and seeks no partition of which nothing was committed. And that tables are whole is never
taken back when partitions change hands.

Here a seek of every partition comes first, and of which generation of the group the tables are whole is known.
"""

from typing import Any, cast

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP

NOTHING = TP("", 0)
"""No partition at all: keeps a set of partitions to be read from being empty."""


class OrderedRecovery(Recovery):
    """Seeks, then says that the tables are whole, then lets messages come."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.whole: int | None = None
        """The generation of the consumer group whose partitions the tables are restored for."""
        self.begins: dict[TP, int] = {}
        """Where each partition of that generation is read from."""

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        app, consumer = self.app, self.app.consumer
        await app.on_rebalance_complete.send()
        self._set_recovery_ended()
        for table in self.tables.values():
            await table.on_recovery_completed(self.actives_for_table[table], self.standbys_for_table[table])
        if app.consumer_generation_id != generation_id:
            self.log.warning("Another rebalance has begun: generation %r", app.consumer_generation_id)
            return
        streamed = {tp for tp in consumer.assignment() if not self._is_changelog_tp(tp)}
        consumer.resume_partitions({NOTHING})
        if streamed:
            await self._wait(self._seek(streamed), timeout=app.conf.broker_request_timeout)
        self.whole = generation_id
        self.completed.set()
        consumer.resume_partitions(streamed)
        app.flow_control.resume()
        consumer.resume_flow()
        await app._fetcher.maybe_start()  # type: ignore[attr-defined] # not in its interface
        self.tables.on_actives_ready()
        if not app.assignor.assigned_standbys():
            self.tables.on_standbys_ready()
        app.on_rebalance_end()
        self.log.info("Worker ready")

    async def _seek(self, streamed: set[TP]) -> None:
        """To what is committed, or to the first there is."""
        consumer = self.app.consumer
        await consumer.perform_seek()
        committed = consumer._committed_offset  # type: ignore[attr-defined] # not in its interface
        earliest = await consumer.earliest_offsets(*streamed)
        for tp in streamed:
            if not committed[tp]:
                await consumer.seek(tp, earliest[tp])
        self.begins = {tp: committed[tp] or earliest[tp] for tp in streamed}


class OrderedTables(TableManager):
    """Set as Faust's setting `TableManager`."""

    @property
    def recovery(self) -> OrderedRecovery:
        if self._recovery is None:
            self._recovery = OrderedRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return cast("OrderedRecovery", self._recovery)
