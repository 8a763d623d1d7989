"""The identity of a topic's present creation: Kafka's topic id (KIP-516).

aiokafka stops at version 5 of Metadata; the id came with version 10. So the two
structs of version 12 are declared here, in aiokafka's own schema language. Tansu
answers it as well.
"""

from io import BytesIO
from typing import ClassVar
from uuid import UUID

import msgspec
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from schemas.errors import BrokerAway


class Uuid(AbstractType[bytes]):
    """Sixteen bytes, as the protocol's `uuid`."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)

    @classmethod
    def repr(cls, value: bytes) -> str:
        return str(UUID(bytes=value))


class MetadataResponse_v12(Response):  # noqa: N801 - aiokafka's way of naming a version
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class MetadataRequest_v12(RequestStruct):  # noqa: N801
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = MetadataResponse_v12
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicIdRequest(Request[MetadataRequest_v12]):
    API_KEY: ClassVar[int] = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[MetadataRequest_v12]) -> MetadataRequest_v12:
        return request_struct_class([(bytes(16), name, {}) for name in self._topics], False, False, {})


class TopicFound(msgspec.Struct, frozen=True):
    """A topic that exists: its present creation's id (hex), and how many partitions it has."""

    creation: str
    partitions: int


async def find_topics(client: AIOKafkaClient, topics: list[str]) -> dict[str, TopicFound]:
    """Those of the named topics that exist. Raises BrokerAway."""
    try:
        response = await client.send(client.get_random_node(), TopicIdRequest(topics))
    except KafkaError as error:
        raise BrokerAway(f"topic ids: {error!r}") from error
    found = {}
    for error_code, name, topic_id, _, partitions, *_ in response.topics:
        if error_code == 0:
            found[name] = TopicFound(UUID(bytes=topic_id).hex, len(partitions))
        elif for_code(error_code).__name__ != "UnknownTopicOrPartitionError":
            raise BrokerAway(f"topic {name}: {for_code(error_code).__name__}")
    return found
