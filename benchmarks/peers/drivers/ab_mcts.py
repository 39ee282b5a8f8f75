"""treequest's AB-MCTS-A over several questions at once.

In: url, questions, answers, parallel, critic, rewriter, max_tokens, temperature, seed. Out: seconds, texts.

treequest leaves generation to its user. Here a new answer is a chat reply to the question, a refinement a critique of
the answer and then a rewriting in its light, with the prompts that clew's method has. Its trials are asked for and
told in batches, as its manual advises, each trial in a thread of its own; the questions run beside each other.
"""

from __future__ import annotations

import json
import random
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import treequest
from soundness import soundness


class Writer:
    def __init__(self, job, question) -> None:
        self.job = job
        self.question = question

    def said(self, *turns):
        messages = [{"role": role, "content": content} for role, content in turns]
        body = {"messages": messages, "temperature": self.job["temperature"], "max_tokens": self.job["max_tokens"]}
        request = urllib.request.Request(
            f"{self.job['url']}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=600) as reply:
            return json.load(reply)["choices"][0]["message"]["content"]

    def write(self, parent):
        if parent is None:
            text = self.said(("user", self.question))
        else:
            about = f"<problem>\n{self.question}\n</problem>\n<answer>\n{parent}\n</answer>"
            critique = self.said(("system", self.job["critic"]), ("user", about))
            about += f"\n<critique>\n{critique}\n</critique>" if critique else ""
            text = self.said(("system", self.job["rewriter"]), ("user", about))
        return text, soundness(self.question, text)


def solve(job, question):
    writer = Writer(job, question)
    algorithm = treequest.ABMCTSA()
    state = algorithm.init_tree()
    done = 0
    with ThreadPoolExecutor(job["parallel"]) as pool:
        while done < job["answers"]:
            state, trials = algorithm.ask_batch(state, min(job["parallel"], job["answers"] - done), ["write"])
            for trial, result in zip(trials, pool.map(writer.write, [t.parent_state for t in trials]), strict=True):
                state = algorithm.tell(state, trial.trial_id, result)
            done += len(trials)
    return treequest.top_k(state, algorithm, k=1)[0][0]


def main() -> None:
    job = json.load(sys.stdin)
    random.seed(job["seed"])
    np.random.seed(job["seed"])
    begin = time.perf_counter()
    with ThreadPoolExecutor(len(job["questions"])) as pool:
        texts = list(pool.map(lambda question: solve(job, question), job["questions"]))
    print(json.dumps({"seconds": time.perf_counter() - begin, "texts": texts}))


main()
