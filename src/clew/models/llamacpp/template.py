"""Chat templates: the Jinja text in the model file, rendered as its authors' tools render it."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from clew.errors import ModelError, UsageError
from clew.problem import Message


class ChatTemplate:
    """Renders a conversation. Without a template in the file (a base model) the turns are joined by blank lines.

    controls: the texts that stand for control tokens where the template itself writes them.
    """

    def __init__(self, source: str, *, begin: str, end: str, controls: Sequence[str] = ()) -> None:
        from jinja2.exceptions import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        self._error = TemplateError
        self._marks = {"bos_token": begin, "eos_token": end}
        longest_first = sorted(filter(None, controls), key=len, reverse=True)
        self._controls = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = self._refuse
        environment.globals["strftime_now"] = _now
        try:
            self._template = environment.from_string(source) if source else None
        except TemplateError as error:
            raise ModelError(f"the model file's chat template cannot be read: {error}") from error

    def render(self, messages: Sequence[Message]) -> list[tuple[str, bool]]:
        """The prompt that ends where the assistant's next turn begins; or inside it, where the last message is the
        beginning of the assistant's turn.

        It comes in parts, mostly in one: the text, and whether what spells a control token there is one. It is not
        where a message spells it.

        Raises UsageError for images, and for a conversation that the template refuses.
        """
        for turn in messages:
            if not isinstance(turn.content, str) and any(p.get("type") != "text" for p in turn.content):
                raise UsageError("this model takes text only, not images", "Leave the image parts out")
        texts = [turn.text for turn in messages]
        if not any(map(self._controls.search, texts)):
            return [(self._rendered(messages, texts), True)]
        # Characters that nobody wrote fence off what the messages spell, whatever the template does around it.
        used = set("".join([self._rendered(messages, texts), *texts]))
        left, right = itertools.islice((c for c in map(chr, range(0xE000, 0xF900)) if c not in used), 2)
        fenced = [self._controls.sub(lambda m: left + m.group() + right, text) for text in texts]
        pieces = re.split(f"([{left}{right}])", self._rendered(messages, fenced))
        marks = [right, *pieces[1::2], left]
        return [(text, (marks[i], marks[i + 1]) != (left, right)) for i, text in enumerate(pieces[::2])]

    def _rendered(self, messages: Sequence[Message], texts: Sequence[str]) -> str:
        rows = [{"role": str(m.role), "content": text} for m, text in zip(messages, texts, strict=True)]
        begun = rows.pop()["content"] if rows and rows[-1]["role"] == "assistant" else ""
        if self._template is None:
            return "".join(f"{row['content']}\n\n" for row in rows) + begun
        try:
            text = self._template.render(messages=rows, add_generation_prompt=True, tools=None, **self._marks)
        except self._error as error:
            raise UsageError(f"the model's chat template refuses this conversation: {error}") from error
        return str(text) + begun

    def _refuse(self, message: str) -> NoReturn:
        raise self._error(message)


def _now(form: str) -> Any:
    return datetime.datetime.now().astimezone().strftime(form)
