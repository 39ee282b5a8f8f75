"""Reads and writes the evaluation logs of Inspect (inspect_ai, log version 2) without that package."""

from __future__ import annotations

import json
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from clew.analysis.io.imported import Imported, messages_of, scalar, string, text_of
from clew.errors import UsageError, how_to_install
from clew.result import Result
from clew.store.typed import parsed
from clew.tree import Finish

LARGEST_SAMPLE = 2**28
"""The most bytes of one sample of an archive, unpacked: a sample is read whole."""
LARGEST_LOG = 2**32
"""The most bytes of all samples of an archive, unpacked, and the most characters of all traces of a log."""

_ZSTD = 93
_VALUES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_STOPS = {Finish.END: "stop", Finish.STOP: "stop", Finish.LENGTH: "max_tokens"}
_MOST_TOKENS = 10**9  # of one solution: a greater number is a mistake of the log
_LONGEST_NAME = 10_000  # characters of a sample's id in the name of its file, which has at most 65,535 bytes
_UNPACKING = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
"""What a damaged archive raises, or an encrypted one (RuntimeError)."""


def read_log(path: Path) -> Iterator[Imported]:
    """The samples of a log, one trace each (its epochs are traces of one problem).

    A score that is null, or not a number from 0 to 1 or one of C, I, P and N, leaves its sample without a grade.

    Raises UsageError when the file is not such a log, holds more than `LARGEST_SAMPLE` or `LARGEST_LOG` allow, or is
    compressed as only `zstandard` can read.
    """
    size = 0
    for number, sample in enumerate(_samples(path), 1):
        try:
            trace = _trace(_object(sample, "a sample"))
        except (ValueError, RecursionError) as error:
            told = error if isinstance(error, ValueError) else "nested too deep"
            raise UsageError(
                f"sample {number} of {path} is not as Inspect writes it: {told}",
                "Write the log again with `inspect log convert --to json`",
            ) from None
        size += len(trace.text) + sum(len(m.text) for m in trace.messages)
        if size > LARGEST_LOG:
            raise UsageError(f"the traces of {path} have more than {LARGEST_LOG:,} characters", "Import it in parts")
        yield trace


def _samples(path: Path) -> Iterator[Any]:
    if path.suffix == ".json":
        content = path.read_text(encoding="utf-8-sig")
        try:
            log = parsed(content)
        except ValueError as error:
            raise UsageError(f"{path} is not JSON ({error})", "Give a log that Inspect wrote") from None
        samples = (log.get("samples") or []) if isinstance(log, dict) and "eval" in log else None
        if not isinstance(samples, list):
            raise UsageError(f"{path} is not a log of Inspect", "Give one, or JSONL with a trace a line")
        yield from samples
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                m for m in archive.infolist() if m.filename.startswith("samples/") and m.filename.endswith(".json")
            ]
            # What the directory of an archive declares bounds what zipfile unpacks: it stops there.
            if sum(m.file_size for m in members) > LARGEST_LOG:
                raise UsageError(f"{path} unpacks to more than {LARGEST_LOG:,} bytes", "Import it in parts")
            for member in members:
                if member.file_size > LARGEST_SAMPLE:
                    raise UsageError(f"{path}: a sample unpacks to more than {LARGEST_SAMPLE:,} bytes", "Leave it out")
                yield parsed(_unpacked(archive, member, path).decode())
    except _UNPACKING as error:
        raise UsageError(
            f"{path} is not a log of Inspect, or is damaged ({error})", "Give a .eval or .json log"
        ) from None


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> bytes:
    if member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return archive.read(member)
    if member.compress_type != _ZSTD:
        raise ValueError(f"{member.filename} is packed in a way that Inspect does not use")
    try:
        import zstandard
    except ImportError:
        raise UsageError(
            f"{path} is compressed with Zstandard", how_to_install("data") + ", or `inspect log convert --to json`"
        ) from None
    with path.open("rb") as file:
        # The names in the local header (APPNOTE 4.3.7) may be longer than in the directory.
        file.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        file.seek(name + extra, 1)
        try:
            with zstandard.ZstdDecompressor().stream_reader(file) as reader:
                content: bytes = reader.read(member.file_size + 1)
        except zstandard.ZstdError as error:
            raise ValueError(f"{member.filename}: {error}") from None
    if len(content) != member.file_size:
        raise ValueError(f"{member.filename} has not the size that the archive says")
    return content


def _object(value: Any, what: str) -> Mapping[str, Any]:
    """A JSON object, empty for null. what: names it. Raises ValueError for anything else."""
    if value is None or isinstance(value, dict):
        return value or {}
    raise ValueError(f"{what} is not an object")


def _list(value: Any, what: str) -> list[Any]:
    """A JSON list, empty for null. what: names it. Raises ValueError for anything else."""
    if value is None or isinstance(value, list):
        return value or []
    raise ValueError(f"{what} is not a list")


def _trace(sample: Mapping[str, Any]) -> Imported:
    """A sample as a trace. Raises ValueError for what Inspect does not write."""
    attached = _object(sample.get("attachments"), "attachments")

    def whole(content: Any) -> Any:
        if isinstance(content, str) and content.startswith("attachment://"):
            return attached.get(content.removeprefix("attachment://"), content)
        if isinstance(content, list):
            return [whole(part) for part in content]
        return {k: whole(v) for k, v in content.items()} if isinstance(content, dict) else content

    identity, messages = scalar(sample.get("id"), "its id"), messages_of(whole(sample.get("input")))
    if not identity or not messages:
        raise ValueError("it has no id or no input")
    output = _object(sample.get("output"), "its output")
    choices = _list(output.get("choices"), "its choices")
    choice = _object(choices[0] if choices else None, "its first choice")
    message = _object(choice.get("message"), "the message of its first choice")
    targets = sample.get("target")
    scores = _object(sample.get("scores"), "its scores").values()
    grades = [g for s in scores if (g := _grade(_object(s, "a score").get("value"))) is not None]
    statistics = _list(_object(choice.get("logprobs"), "its log-probabilities").get("content"), "its tokens")
    used = _object(output.get("usage"), "its usage").get("output_tokens")
    if used is not None and not (type(used) is int and 0 <= used <= _MOST_TOKENS):
        raise ValueError("its number of tokens is not a whole number that can be true")
    return Imported(
        id=identity,
        messages=messages,
        text=text_of(whole(message["content"] if "content" in message else output.get("completion"))),
        reference=scalar(targets[:1] if isinstance(targets, list) else targets, "its target") or None,
        grade=grades[0] if grades else None,
        model=string(output.get("model"), "the name of its model"),
        complete=choice.get("stop_reason") not in ("max_tokens", "model_length"),
        tokens=tuple(_token(_object(t, "a token")) for t in statistics),
        used=used,
    )


def _token(token: Mapping[str, Any]) -> tuple[str, float]:
    """The text of a token and its log-probability, NaN where it has none that a float32 can hold."""
    value = token.get("logprob")
    if value is not None and not isinstance(value, int | float):
        raise ValueError("the log-probability of a token is not a number")
    return string(token.get("token"), "a token"), float(value) if value is not None and abs(value) < 1e38 else math.nan


def _grade(value: Any) -> float | None:
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return float(value)
    return _VALUES.get(value) if isinstance(value, str) else None


def log_of(results: list[Result], *, task: str, model: str, created: float, method: str) -> dict[str, Any]:
    """The searches of one method as an Inspect log; its samples are problems, its epochs seeds.

    The score `clew` holds the grade. Proposals, votes, usage and the tree's size are in each sample's metadata.
    """
    moment = datetime.fromtimestamp(created, UTC).isoformat(timespec="seconds")
    epochs = {seed: i for i, seed in enumerate(sorted({r.seed for r in results}), 1)}
    graded = [r.grade for r in results if r.grade is not None]
    scorer = {"name": "clew", "options": {}, "metrics": [{"name": "inspect_ai/mean", "options": {}}], "metadata": {}}
    identity = uuid4().hex
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": identity,
            "run_id": identity,
            "created": moment,
            "task": task,
            "task_id": identity,
            "task_version": 0,
            "task_attribs": {},
            "task_args": {},
            "solver": method,
            "dataset": {"name": task, "samples": len({r.problem.id for r in results}), "shuffled": False},
            "model": model,
            "model_args": {},
            "config": {"epochs": len(epochs)},
            "packages": {},
            "scorers": [scorer],
        },
        "plan": {"name": "plan", "steps": [{"solver": method, "params": {}}], "config": {}},
        "results": {
            "total_samples": len(results),
            "completed_samples": sum(not r.error for r in results),
            "scores": [
                {
                    "name": "clew",
                    "scorer": "clew",
                    "params": {},
                    "metrics": {"mean": {"name": "mean", "value": sum(graded) / len(graded), "params": {}}},
                }
            ]
            if graded
            else [],
        },
        "stats": {"started_at": moment, "completed_at": moment, "model_usage": _summed(results)},
        "samples": [_sample(r, epochs[r.seed], model) for r in results],
    }


def _summed(results: list[Result]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for result in results:
        for name, usage in _usage(result).items():
            into = found.setdefault(name, dict.fromkeys(usage, 0))
            for key, value in usage.items():
                into[key] += value
    return found


def _usage(result: Result) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (name, _), spend in result.usage.parts.items():
        into = found.setdefault(name, {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0})
        into["input_tokens"] += spend.prefilled
        into["output_tokens"] += spend.generated
        into["total_tokens"] += spend.tokens
    return found


def _sample(result: Result, epoch: int, model: str) -> dict[str, Any]:
    answer = result.answer
    turns = [{"role": m.role, "content": m.text} for m in result.problem.messages]
    reply = {"role": "assistant", "content": answer.text, "source": "generate", "model": model}
    stop = _STOPS.get(answer.node.finish, "unknown") if answer.node is not None else "unknown"
    usage = _usage(result)
    sample: dict[str, Any] = {
        "id": result.problem.id,
        "epoch": epoch,
        "input": turns,
        "target": result.problem.reference or "",
        "messages": [*turns, reply],
        "output": {
            "model": model,
            "choices": [{"message": reply, "stop_reason": stop}],
            "completion": answer.text,
            "usage": usage.get(model),
        },
        "scores": {}
        if result.grade is None
        else {"clew": {"value": result.grade, "answer": answer.value, "metadata": {"confidence": answer.confidence}}},
        "metadata": {
            "method": result.method,
            "seed": result.seed,
            "status": str(answer.status),
            "votes": dict(answer.votes),
            "nodes": len(result.tree),
            "proposals": [
                {"value": p.answer.value, "confidence": p.answer.confidence, "tokens": p.usage.total.tokens}
                for p in result.proposals
            ],
        },
        "store": {},
        "events": [],
        "model_usage": usage,
        "attachments": {},
        "total_time": result.usage.seconds,
    }
    if result.error:
        sample["error"] = {"message": result.error, "traceback": "", "traceback_ansi": ""}
    return sample


def write_log(log: Mapping[str, Any], path: Path) -> None:
    """Write a log as `.json`, or in Inspect's own container `.eval`."""
    if path.suffix == ".json":
        path.write_text(json.dumps(log, ensure_ascii=False), encoding="utf-8")
        return
    header = {k: v for k, v in log.items() if k != "samples"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps({k: log[k] for k in ("version", "eval", "plan")}))
        for sample in log["samples"]:
            identity = sample["id"] if len(sample["id"]) <= _LONGEST_NAME else sha256(sample["id"].encode()).hexdigest()
            name = f"samples/{identity}_epoch_{sample['epoch']}.json"
            archive.writestr(name, json.dumps(sample, ensure_ascii=False))
        summaries = [{k: s[k] for k in ("id", "epoch", "input", "target", "scores")} for s in log["samples"]]
        archive.writestr("summaries.json", json.dumps(summaries, ensure_ascii=False))
        archive.writestr("header.json", json.dumps(header, ensure_ascii=False))
