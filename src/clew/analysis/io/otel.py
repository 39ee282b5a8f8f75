"""Runs as OpenTelemetry spans (OTLP/JSON, one request a line), by the semantic conventions for generative AI.

A search is a span `invoke_agent METHOD`, each sampled or judged piece of its tree a child `chat MODEL`. A run file
keeps how many tokens had been spent when a piece was made, not the time: children share the search's seconds by tokens,
and say so by `clew.time = "by tokens"`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from clew.result import Result
from clew.tree import Finish, Node, Origin

_INTERNAL, _CLIENT = 1, 3
_ERROR = 2
_FINISH = {Finish.END: "stop", Finish.STOP: "stop", Finish.LENGTH: "length", Finish.CANCELLED: "cancelled"}


def spans_of(result: Result, *, run: str, model: str, created: float, content: bool = True) -> dict[str, Any]:
    """One search as an OTLP ExportTraceServiceRequest, as JSON.

    run: names the run, so that ids are the same each time. created: when the run began, seconds since 1970.
    content: whether what was asked and written goes with it.
    """
    trace = _id(16, run, result.problem.id, result.method, result.seed)
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes({"service.name": "clew"})},
                "scopeSpans": [
                    {"scope": {"name": "clew"}, "spans": list(_spans(result, trace, model, created, content))}
                ],
            }
        ]
    }


def _spans(result: Result, trace: str, model: str, created: float, content: bool) -> Iterator[dict[str, Any]]:
    total, answer = result.usage.total, result.answer
    root = _id(8, trace, "root")
    said: dict[str, Any] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "clew",
        "gen_ai.agent.name": result.method,
        "gen_ai.request.model": model,
        "gen_ai.request.seed": result.seed,
        "gen_ai.usage.input_tokens": total.prefilled,
        "gen_ai.usage.output_tokens": total.generated,
        "clew.problem": result.problem.id,
        "clew.status": str(answer.status),
        "clew.answer": answer.value,
        "clew.confidence": answer.confidence,
        "clew.grade": result.grade,
    }
    if content:
        turns = [{"role": m.role, "parts": [{"type": "text", "content": m.text}]} for m in result.problem.messages]
        said["gen_ai.input.messages"] = json.dumps(turns, ensure_ascii=False)
        said["gen_ai.output.messages"] = _output(answer.text, "stop")
    span = _span(trace, root, "", f"invoke_agent {result.method}", _INTERNAL, created, total.seconds, said)
    if result.error:
        span["status"] = {"code": _ERROR, "message": result.error}
    yield span
    made = [n for n in result.tree.nodes if n.origin is Origin.SAMPLED]
    scale = total.seconds / total.tokens if total.tokens else 0.0
    writers = {role: name for name, role in result.usage.parts}
    for node in made:
        yield _node_span(node, trace, root, writers.get(node.role, model), created, scale, content)


def _node_span(
    node: Node, trace: str, root: str, model: str, created: float, scale: float, content: bool
) -> dict[str, Any]:
    finish = _FINISH.get(node.finish, "step")
    said: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "clew",
        "gen_ai.request.model": model,
        "gen_ai.usage.output_tokens": len(node.segment),
        "gen_ai.response.finish_reasons": [finish],
        "clew.node": node.id,
        "clew.parent": node.parent.id if node.parent is not None else None,
        "clew.role": node.role,
        "clew.label": node.label or None,
        "clew.time": "by tokens",
    }
    said |= {f"clew.score.{name}": value for name, value in node.scores.items()}
    if content:
        said["gen_ai.output.messages"] = _output(node.segment.text, finish)
    # A node is recorded when its tokens are spent: it ends where it was born.
    length = len(node.segment) * scale
    start = created + max(0.0, node.born * scale - length)
    return _span(trace, _id(8, trace, node.id), root, f"chat {model}", _CLIENT, start, length, said)


def _output(text: str, finish: str) -> str:
    reply = {"role": "assistant", "parts": [{"type": "text", "content": text}], "finish_reason": finish}
    return json.dumps([reply], ensure_ascii=False)


def _span(
    trace: str, id: str, parent: str, name: str, kind: int, start: float, seconds: float, said: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "traceId": trace,
        "spanId": id,
        **({"parentSpanId": parent} if parent else {}),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(int(start * 1e9)),
        "endTimeUnixNano": str(int((start + seconds) * 1e9)),
        "attributes": _attributes(said),
    }


def _attributes(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in said.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if value == value and abs(value) != float("inf") else str(value)}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(v) for v in value]}}
    return {"stringValue": str(value)}


def _id(size: int, *name: object) -> str:
    return hashlib.blake2b(repr(name).encode(), digest_size=size).hexdigest()
