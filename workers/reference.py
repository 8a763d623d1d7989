"""Reference pages made from what they describe: the event catalogue, the settings, the metrics.

`make docs` writes them; a test holds that what is committed is what would be written.
"""

import importlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import yaml
from prometheus_client import REGISTRY, CollectorRegistry, Metric
from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel, SecretStr

from config.settings import ENV_PREFIX, FILE, Settings
from config.topics import TOPICS, Topic
from schemas.catalogue import EventType

METRIC_MODULES = {
    "Gateway": "gateway.metrics",
    "Publisher (in every process that publishes)": "streams.metrics",
    "Every worker that reads from Kafka": "workers.reader_metrics",
    "Folder": "workers.folder_metrics",
    "Router": "workers.router_metrics",
    "Dispatcher": "workers.dispatch.metrics",
    "Rater": "workers.rater_metrics",
    "Wallets (in the folder and the rater)": "workers.wallet_metrics",
    "Sentinel": "workers.sentinel_metrics",
    "Clock": "workers.clock_metrics",
    "Jobs": "workers.jobs.metrics",
}
UP_METRICS = "workers.embedded.metrics"

MADE = "Made by `make docs` from the code; change it there."


def pages() -> dict[str, str]:
    """File name under `docs/` to content."""
    return {"asyncapi.yaml": asyncapi_text(), "configuration.md": configuration_page(), "metrics.md": metrics_page()}


# ---- events ---------------------------------------------------------------------------------------------------------


def asyncapi_text() -> str:
    document = yaml.safe_dump(asyncapi(), sort_keys=False, allow_unicode=True, width=120)
    return f"# {MADE}\n{document}"


def asyncapi() -> dict[str, Any]:
    """The catalogue as AsyncAPI 3.0: a channel per topic, a message per event type."""
    kinds = [kind for topic in TOPICS for kind in topic.event_types]
    payloads = [kind.payload for kind in kinds]
    refs, schemas = msgspec.json.schema_components(payloads, ref_template="#/components/schemas/{name}")
    ref_of = dict(zip(payloads, refs, strict=True))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Fanfold events",
            "version": version("fanfold"),
            "description": "CloudEvents 1.0 over Kafka, binary mode; structured mode is understood as well. "
            "The same source and id is the same fact: it counts once. Topic names may have a prefix (kafka.prefix).",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {
            f"{topic.group}.{topic.name}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": TAKES_IN[topic.group],
            }
            for topic in TOPICS
        },
        "components": {
            "messages": {kind.name: _message(kind, ref_of[kind.payload]) for kind in kinds},
            "messageTraits": {"cloudevent": {"headers": HEADERS}},
            "schemas": schemas,
        },
    }


TAKES_IN = {
    "folder": "Fold each into documents, once",
    "router": "Decide where each push goes, once",
    "dispatcher": "Send each delivery, and record what came of it",
    "rater": "Rate each call and add it up, once",
    "sentinel": "Count failures within periods, and raise alerts",
}

HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "minLength": 1, "maxLength": 512},
        "ce_source": {"type": "string", "minLength": 1, "maxLength": 512},
        "ce_type": {"type": "string"},
        "ce_subject": {"type": "string", "maxLength": 512, "description": "where missing: the record's key"},
        "ce_time": {"type": "string", "format": "date-time", "description": "where missing: the record's time"},
        "ce_traceparent": {"type": "string"},
        "content-type": {"type": "string"},
    },
}


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"Keyed by: {topic.key}",
        "messages": {kind.name: {"$ref": f"#/components/messages/{kind.name}"} for kind in topic.event_types},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"retention.ms": int(topic.retention.total_seconds() * 1000)},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(kind: EventType, payload: dict[str, Any]) -> dict[str, Any]:
    key = f"the payload's {kind.key_as_sent}" if kind.key else "the subject, which only the sender knows"
    sender = "Published by Fanfold alone." if kind.internal else "May be published by anybody, on Kafka or at /events."
    return {
        "name": kind.name,
        "summary": kind.summary,
        "description": sender,
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": "0.5.0"}},
    }


# ---- settings -------------------------------------------------------------------------------------------------------


def configuration_page() -> str:
    lines = [
        "# Configuration",
        "",
        f"Environment variables win over `{FILE}` in the working directory, which wins over the defaults. Unknown "
        "names are refused, and all mistakes are told together at the start. `fanfold doctor` shows what is in effect, "
        "secrets hidden.",
        "",
        "```toml",
        "[kafka]",
        'bootstrap = "kafka-1:9092,kafka-2:9092"',
        "replication = 3",
        "",
        "[chat.secrets]",
        'demo = "demo-secret"',
        "```",
        "",
        f"is the same as `{ENV_PREFIX}KAFKA__BOOTSTRAP=kafka-1:9092,kafka-2:9092`, `{ENV_PREFIX}KAFKA__REPLICATION=3` "
        f'and `{ENV_PREFIX}CHAT__SECRETS=\'{{"demo":"demo-secret"}}\'`: lists and mappings are JSON there.',
        "",
        MADE,
    ]
    for part, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            lines += ["", f"## {part}", "", "| variable | default | when to set it |", "|---|---|---|"]
            lines += [_setting(part, name, model) for name in model.model_fields]
    return "\n".join(lines) + "\n"


def _setting(part: str, name: str, model: type[BaseModel]) -> str:
    field = model.model_fields[name]
    default = _shown(field.get_default(call_default_factory=True))
    summary = " ".join((field.description or "").split()).replace("|", r"\|")
    return f"| `{ENV_PREFIX}{part.upper()}__{name.upper()}` | {default} | {summary} |"


def _shown(value: object) -> str:
    match value:
        case SecretStr():
            return f"`{value.get_secret_value()}`"
        case None | "" | [] | {}:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
    return f"`{value}`"


# ---- metrics --------------------------------------------------------------------------------------------------------


def metrics_page() -> str:
    """The families of each part, with their labels and what a rise means."""
    lines = [
        "# Metrics",
        "",
        "Every process serves them at `/metrics` on its metrics port; `fanfold up` serves those of all its children "
        "together. Those of the process itself (`process_*`, `python_*`) come beside them, not with `fanfold up`. "
        "A counter with labels appears with its first count. What to do about an alert is in "
        "[operating.md](operating.md).",
        "",
        MADE,
    ]
    for title, module in {**METRIC_MODULES, "`fanfold up`": UP_METRICS}.items():
        lines += ["", f"## {title}", "", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
        lines += [_metric(name, collector) for name, collector in _collectors(module)]
    return "\n".join(lines) + "\n"


def _collectors(module: str) -> Iterable[tuple[str, MetricWrapperBase]]:
    """Name and collector of each metric that a module declares."""
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, MetricWrapperBase):
            [family] = value.describe()
            yield family.name + ("_total" if family.type == "counter" else ""), value


def _metric(name: str, collector: MetricWrapperBase) -> str:
    [family] = collector.describe()
    labels = ", ".join(f"`{label}`" for label in collector._labelnames)
    return f"| `{name}` | {family.type} | {labels} | {family.documentation} |"


def metric_families(registry: CollectorRegistry = REGISTRY) -> Iterable[Metric]:
    """All that a process may report, its own `process_*` included."""
    for module in METRIC_MODULES.values():
        importlib.import_module(module)
    return registry.collect()


def write(folder: Path) -> None:
    for name, content in pages().items():
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write(Path("docs"))
