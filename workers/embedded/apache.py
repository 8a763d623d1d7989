"""Apache Kafka as one JVM: broker and controller in one (KRaft), on loopback, its log kept on disk.

Fetched once by Maven coordinates into the user's cache; later starts need Java alone.
"""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

import structlog

from workers.embedded.child import Command
from workers.embedded.errors import CannotStart, NotInstalled
from workers.embedded.ports import LOOPBACK, answers, free_port

log = structlog.get_logger()

VERSION = "4.1.1"
LOGGING_VERSION = "2.24.3"
"""Of log4j, as this Kafka brings it: without its binding Kafka would say nothing about what is wrong."""

POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>fanfold</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOGGING_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

LOG4J = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""

# The first compiler alone: it starts in nearly half the time, and no trial keeps a broker busy.
JVM = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

SESSION_SECONDS = 6.0
"""The shortest session it grants a client: another worker takes over so long after a crash."""


def command(port: int, folder: Path, *, durable: bool = True, output: Path | None = None) -> Command:
    """Apache Kafka on a loopback port with its log under `folder`, which it goes on with if there is one.

    Fetches it and formats the folder where that has not been done, which takes
    seconds: not for the event loop. `durable`: what is acknowledged is on the
    disk, not only with the operating system. Raises CannotStart, NotInstalled.
    """
    java = _program("java", "Java 17 or later")
    jars = fetch(cache_folder())
    folder.mkdir(parents=True, exist_ok=True)
    properties, logging, kept = folder / "server.properties", folder / "log4j2.properties", folder / "log"
    properties.write_text(server_properties(port, free_port(), kept, durable=durable))
    logging.write_text(LOG4J)
    jvm = (java, *JVM, f"-Dlog4j2.configurationFile={logging}", "-cp", f"{jars}{os.sep}*")
    if not (kept / "meta.properties").exists():
        cluster_id = uuid.uuid4().hex[:22]
        _run((*jvm, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties)), "format its log")

    async def probe() -> str | None:
        return None if await answers(port) else f"nobody answers at {LOOPBACK}:{port}"

    return Command(
        name="broker",
        argv=(*jvm, "kafka.Kafka", str(properties)),
        probe=probe,
        output=output,
        ready_seconds=60.0,
        drain_seconds=15.0,
    )


def server_properties(port: int, controller_port: int, folder: Path, *, durable: bool) -> str:
    """Kafka's settings for one node that is all there is."""
    lines = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "log.dirs": folder,
        "auto.create.topics.enable": "false",
        # After a kill the node has to wait until its former self counts as gone: 9 s if nothing is said.
        "broker.heartbeat.interval.ms": 300,
        "broker.session.timeout.ms": 2000,
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
    }
    if durable:
        # With no other node to hold a copy, a power cut would shorten the log behind
        # the store's back, and new events would take offsets that count as folded.
        lines["log.flush.interval.messages"] = 1
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def cache_folder() -> Path:
    """Where fetched programs are kept for good: the user's cache."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "fanfold"


def fetch(cache: Path) -> Path:
    """The folder of Kafka's jars, fetched if it is not in the cache; whole or not there. Raises CannotStart."""
    jars = cache / f"kafka-{VERSION}"
    if jars.exists():
        return jars
    mvn = _program("mvn", "Maven, which fetches it once,")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as name:
        log.info("kafka_fetched_once", version=VERSION, into=str(jars))
        pom, arrived = Path(name) / "pom.xml", Path(name) / "jars"
        pom.write_text(POM)
        goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={arrived}")
        _run(
            (mvn, "-q", "-B", "-Dstyle.color=never", "-f", str(pom), *goal),
            f"be fetched with Maven in version {VERSION}",
        )
        try:
            arrived.rename(jars)
        except OSError:
            if not jars.exists():  # else another process was quicker with the same jars
                raise
    return jars


def _program(name: str, what: str) -> str:
    if path := shutil.which(name):
        return path
    raise NotInstalled(f"Apache Kafka needs {what} and there is no {name} on PATH: install it, or use another broker")


def _run(argv: Sequence[str], purpose: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True
    )
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        said = next((line for line in lines if "ERROR" in line), lines[0] if lines else "it said nothing")
        raise CannotStart(f"Apache Kafka could not {purpose}: {said}")
