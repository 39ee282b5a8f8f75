"""Chat templates: the Jinja text in the model file, rendered as its authors' tools render it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, NoReturn

from clew.errors import ModelError, UsageError
from clew.problem import Message


class ChatTemplate:
    """Renders a conversation. Without a template in the file (a base model) the turns are joined by blank lines."""

    def __init__(self, source: str, *, begin: str, end: str) -> None:
        from jinja2.exceptions import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        self._error = TemplateError
        self._marks = {"bos_token": begin, "eos_token": end}
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = self._refuse
        environment.globals["strftime_now"] = _now
        try:
            self._template = environment.from_string(source) if source else None
        except TemplateError as error:
            raise ModelError(f"the model file's chat template cannot be read: {error}") from error

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt that ends where the assistant's next turn begins; or inside it, where the last message is the
        beginning of the assistant's turn.

        Raises UsageError for images, and for a conversation that the template refuses.
        """
        turns, begun = list(messages), ""
        if turns and turns[-1].role == "assistant":
            begun = turns.pop().text
        for turn in turns:
            if not isinstance(turn.content, str) and any(p.get("type") != "text" for p in turn.content):
                raise UsageError("this model takes text only, not images", "Leave the image parts out")
        if self._template is None:
            return "".join(f"{t.text}\n\n" for t in turns) + begun
        rows = [{"role": str(t.role), "content": t.text} for t in turns]
        try:
            text = self._template.render(messages=rows, add_generation_prompt=True, tools=None, **self._marks)
        except self._error as error:
            raise UsageError(f"the model's chat template refuses this conversation: {error}") from error
        return str(text) + begun

    def _refuse(self, message: str) -> NoReturn:
        raise self._error(message)


def _now(form: str) -> Any:
    return datetime.datetime.now().astimezone().strftime(form)
