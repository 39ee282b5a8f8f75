"""Inspect's evaluation logs (inspect_ai, log version 2), read and written without the package."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from clew.analysis.io.imported import Imported, messages_of, text_of
from clew.errors import UsageError
from clew.result import Result
from clew.tree import Finish

_ZSTD = 93
_VALUES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_STOPS = {Finish.END: "stop", Finish.STOP: "stop", Finish.LENGTH: "max_tokens"}


def read_log(path: Path) -> Iterator[Imported]:
    """The samples of a log, one trace each (its epochs are traces of one problem).

    Raises UsageError when the file is no such log, or when it is compressed as only `zstandard` can read.
    """
    for sample in _samples(path):
        try:
            yield _trace(sample)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise UsageError(
                f"sample {sample.get('id')!r} of {path} is not as Inspect writes them ({error!r})",
                "Write the log again with `inspect log convert --to json`",
            ) from error


def _samples(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".json":
        try:
            log = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(f"{path} is not JSON ({error})", "Give a log that Inspect wrote") from error
        if not isinstance(log, dict) or "eval" not in log:
            raise UsageError(f"{path} is no log of Inspect", "Give one, or JSONL with a trace a line")
        yield from log.get("samples") or []
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.startswith("samples/") and info.filename.endswith(".json"):
                    yield json.loads(_member(archive, info, path))
    except zipfile.BadZipFile as error:
        raise UsageError(f"{path} is no log of Inspect ({error})", "Give a .eval or .json log") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> bytes:
    if info.compress_type != _ZSTD:
        return archive.read(info)
    try:
        import zstandard
    except ImportError:
        raise UsageError(
            f"{path} is compressed with Zstandard", "pip install 'clew[data]', or `inspect log convert --to json`"
        ) from None
    with path.open("rb") as file:
        # The names in the local header (APPNOTE 4.3.7) may be longer than in the directory.
        file.seek(info.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        file.seek(name + extra, 1)
        content: bytes = zstandard.ZstdDecompressor().decompressobj().decompress(file.read(info.compress_size))
        return content


def _trace(sample: Mapping[str, Any]) -> Imported:
    attached = sample.get("attachments") or {}

    def whole(content: Any) -> Any:
        if isinstance(content, str) and content.startswith("attachment://"):
            return attached.get(content.removeprefix("attachment://"), content)
        if isinstance(content, list):
            return [whole(part) for part in content]
        return {k: whole(v) for k, v in content.items()} if isinstance(content, dict) else content

    output = sample.get("output") or {}
    choices = output.get("choices") or []
    choice = choices[0] if choices else {}
    target = sample.get("target")
    scores = sample.get("scores") or {}
    grades = [g for s in scores.values() if (g := _grade(s.get("value"))) is not None]
    probs = ((choice.get("logprobs") or {}).get("content")) or []
    return Imported(
        id=str(sample["id"]),
        messages=messages_of(whole(sample["input"])),
        text=text_of(whole((choice.get("message") or {}).get("content", output.get("completion", "")))),
        reference=str(target[0] if isinstance(target, list) and target else target) if target else None,
        grade=grades[0] if grades else None,
        model=str(output.get("model", "")),
        complete=choice.get("stop_reason") not in ("max_tokens", "model_length"),
        tokens=tuple((str(t["token"]), float(t["logprob"])) for t in probs),
        used=(output.get("usage") or {}).get("output_tokens"),
    )


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
            name = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
            archive.writestr(name, json.dumps(sample, ensure_ascii=False))
        summaries = [{k: s[k] for k in ("id", "epoch", "input", "target", "scores")} for s in log["samples"]]
        archive.writestr("summaries.json", json.dumps(summaries, ensure_ascii=False))
        archive.writestr("header.json", json.dumps(header, ensure_ascii=False))
