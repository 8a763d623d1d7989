"""Runs the integration tests against Apache Kafka, and the tests of what only Apache Kafka does: `make test-kafka`.

Where it cannot be had (no Java; not fetched yet and no Maven) that is a failure,
unless `FANFOLD_KAFKA_OPTIONAL=1`.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from workers.embedded import apache
from workers.embedded.child import running
from workers.embedded.errors import CannotStart
from workers.embedded.ports import LOOPBACK, free_port

OPTIONAL = "FANFOLD_KAFKA_OPTIONAL"
ELSEWHERE = (
    # What has a broker of its own: run by `make test`, and here by tests/kafka.
    "--ignore=tests/integration/test_up.py",
    # What has none.
    "--ignore=tests/integration/channels",
)
EVERYTHING = ("-n", "4", "--dist", "loadfile", "tests/integration", "tests/kafka")


async def main(arguments: list[str]) -> int:
    """The exit status of pytest, which gets the arguments."""
    port = free_port()
    optional = os.environ.pop(OPTIONAL, "") == "1"
    with tempfile.TemporaryDirectory(prefix="fanfold-kafka-") as name:
        folder = Path(name)
        try:
            command = apache.command(port, folder, durable=False, output=folder / "output")
        except CannotStart as error:
            sys.stderr.write(f"Apache Kafka is not tested. {error}\n")
            return 0 if optional else 1
        async with running(command):
            sys.stdout.write(f"Apache Kafka {apache.VERSION} at {LOOPBACK}:{port}\n")
            sys.stdout.flush()
            pytest = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pytest", *ELSEWHERE, *(arguments or EVERYTHING)),
                env={**os.environ, "FANFOLD_TEST_KAFKA": f"{LOOPBACK}:{port}"},
            )
            return await pytest.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
