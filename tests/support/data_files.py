"""Rows in the shapes of well-known data sets: our own words under their names of fields."""

import csv
import io
import json
from typing import Any

ARC_LABELS = {"text": ["a kettle", "a lamp", "a spoon", "a boat"], "label": ["1", "2", "3", "4"]}
ROWS: dict[str, list[dict[str, Any]]] = {
    "GSM8K": [
        {"question": "Ada has 3 pens and buys 4. How many?", "answer": "She has 3 + 4 = <<3+4=7>>7.\n#### 7"},
        {"question": "Half of 2,400?", "answer": "2400 / 2 = 1200.\n#### 1,200"},
    ],
    "MATH": [
        {"problem": "Half of $3$?", "level": "Level 2", "type": "Algebra", "solution": r"It is $\boxed{\frac{3}{2}}$."},
        {"problem": "What is $x$?", "level": "Level 5", "type": "Algebra", "solution": r"So $x=\boxed{\sqrt{8}}$."},
    ],
    "AIME": [
        {"ID": "2031-I-1", "Problem": "Count them.", "Solution": r"There are $73$ of them, \boxed{73}.", "Answer": 73},
        {"ID": "2031-I-2", "Problem": "And now?", "Solution": "There are nine.", "Answer": 9},
    ],
    "ARC": [
        {"id": "a1", "question": "What boils water?", "choices": ARC_LABELS, "answerKey": "1"},
        {"id": "a2", "question": "What gives light?", "choices": ARC_LABELS, "answerKey": "2"},
    ],
    "MMLU-Pro": [
        {
            "question_id": 70 + i,
            "question": "Which is the largest?",
            "options": ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
            "answer": "ABCDEFGHIJ"[i],
            "answer_index": i,
            "cot_content": "",
            "category": "math",
            "src": "ours",
        }
        for i in (9, 2)
    ],
    "OlympiadBench": [
        {
            "id": 11,
            "question": "Find the speed $v$.",
            "context": "A ball falls for one second.",
            "solution": ["It is $g t$."],
            "final_answer": ["9.81"],
            "is_multiple_answer": False,
            "unit": r"$\mathrm{m/s}$",
            "answer_type": "Numerical",
            "error": "5e-2",
            "image_1": None,
        },
        {
            "id": 12,
            "question": "Find all $x$.",
            "context": None,
            "solution": ["Clearly."],
            "final_answer": ["$2$,$-3$"],
            "is_multiple_answer": True,
            "unit": None,
            "answer_type": "Numerical",
            "error": None,
            "image_1": None,
        },
    ],
    "verl": [
        {
            "data_source": "ours/sums",
            "prompt": [{"role": "user", "content": f"What is {i} + 1? Put the answer after ####."}],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": str(i + 1)},
            "extra_info": {"index": 0, "split": "train"},
        }
        for i in range(2)
    ],
    "TRL": [
        {
            "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"What is {i} + 2?"}],
            "completion": [{"role": "assistant", "content": f"We add. The answer is {i + 2}."}],
        }
        for i in range(2)
    ],
}


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    """A CSV of the rows; what is not text is JSON in it."""
    out = io.StringIO()
    table = csv.DictWriter(out, list(rows[0]))
    table.writeheader()
    for row in rows:
        table.writerow({key: v if isinstance(v, str | None) else json.dumps(v) for key, v in row.items()})
    return out.getvalue().encode(errors="replace")
