"""How long `fanfold up` takes from nothing to ready: `make bench-start`."""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time

from workers.embedded.ports import free_port

LIMIT_SECONDS = 10.0
READY = b"Fanfold is ready"


async def seconds_to_ready(*arguments: str) -> float:
    """Start it, take the time until its one line, and stop it."""
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers.cli", "up"),
            *("--port", str(free_port()), "--metrics-port", str(free_port())),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
        assert process.stdout is not None
        line = await process.stdout.readline()
        seconds = time.perf_counter() - started
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()
        if not line.startswith(READY):
            errors.seek(0)
            raise SystemExit(errors.read().decode())
        return seconds


async def measure(name: str, rounds: int, *arguments: str) -> bool:
    """Print one line of results; whether the median keeps the limit."""
    taken = [await seconds_to_ready(*arguments) for _ in range(rounds)]
    median = statistics.median(taken)
    print(
        f"{name:24} {median:8.2f} {min(taken):8.2f} {max(taken):8.2f} {median / LIMIT_SECONDS:12.2f}"
        f"   {'within' if median <= LIMIT_SECONDS else 'OVER'} the limit"
    )
    return median <= LIMIT_SECONDS


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--apache", action="store_true", help="Apache Kafka as well")
    options = parser.parse_args()
    print(f"From the command to its ready line, on {os.cpu_count()} cores; seconds over {options.rounds} starts.")
    print(f"{'':24} {'median':>8} {'least':>8} {'most':>8} {'of the limit':>12}")
    kept = [await measure("ephemeral", options.rounds, "--ephemeral")]
    with tempfile.TemporaryDirectory() as data:
        await seconds_to_ready("--data", data)  # the first start makes topics and indexes
        kept.append(await measure("with data kept", options.rounds, "--data", data))
    if options.apache:
        kept.append(await measure("ephemeral, Apache Kafka", options.rounds, "--ephemeral", "--broker", "apache"))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
