"""its_hub's particle filtering over several questions at once.

In: url, questions, particles, steps, max_tokens, temperature, seed. Out: seconds, texts.

Helped: llama-server repeats a begun assistant turn in its reply, and its_hub appends that reply to what was begun, so
the text would double at each step. The repetition is taken off here.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

from its_hub.api import AbstractProcessRewardModel
from its_hub.core.algorithms.particle_gibbs import ParticleFiltering
from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel
from its_hub.core.lms.step_generation import StepGeneration
from soundness import soundness


class Continuing(OpenAICompatibleLanguageModel):
    async def agenerate(self, messages_or_messages_lst, *args, **kwargs):
        replies = await super().agenerate(messages_or_messages_lst, *args, **kwargs)
        for turns, reply in zip(messages_or_messages_lst, replies, strict=True):
            if turns[-1].role == "assistant":
                reply["content"] = reply["content"].removeprefix(turns[-1].content)
        return replies


class Reward(AbstractProcessRewardModel):
    def score(self, prompt_or_messages, steps):
        return [soundness(prompt_or_messages, text) for text in steps]

    async def ascore(self, prompt_or_messages, steps):
        return self.score(prompt_or_messages, steps)


async def main() -> None:
    job = json.load(sys.stdin)
    random.seed(job["seed"])
    steps = StepGeneration(job["steps"], step_token="\n", stop_token="####", temperature=job["temperature"])
    lm = Continuing(job["url"], "none", "m", max_completion_tokens=job["max_tokens"])
    algorithm = ParticleFiltering(steps, Reward())
    begin = time.perf_counter()
    found = await asyncio.gather(*(algorithm.ainfer(lm, q, budget=job["particles"]) for q in job["questions"]))
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "texts": [reply["content"] for reply in found]}))


asyncio.run(main())
