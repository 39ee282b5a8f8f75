import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clew.errors import UsageError
from clew.tasks.answers import KINDS, as_canonical, extract, extract_or_unknown, extractor, grade, visible

TWELVE = [
    "12",
    "12.",
    "$12",
    "12.0",
    "12 apples",
    "#### 12",
    "#### $12.00",
    r"\boxed{12}",
    r"\boxed 12 .",
    r"\boxed{\text{12 apples}}",
    r"The final answer is $\boxed{12}$.",
    "The answer is 12",
    "The answer is twelve",
    "The answer is: **12**",
    "**Answer:** 12",
    "Answer:\n12",
    "answer: 12 dollars and I am sure",
    "the answer is 5 + 7 = 12",
    "The answer is $12$.",
    r"\(12\)",
    "So 5 + 7 = 12.",
    "x = 12",
    "It is 12%",
    r"12\%",
    "<answer>12</answer>",
    "The answer is 11. No, the answer is 12.",
    r"First \boxed{11}, then #### 12",
    "The answer is not 11. The answer is 12",
    "#### Step 1: add 5\nso 12",
    "<think>13</think> 12",
    "the prompt opened this 13 </think> 12",
    "[THINK]13[/THINK]12",
    "◁think▷13◁/think▷12",
]


@pytest.mark.parametrize("kind", ["number", "math"])
@pytest.mark.parametrize("text", TWELVE)
def test_twelve_is_twelve(text: str, kind: str) -> None:
    assert extractor(kind)(text) == "12"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("1,200", "1200"),
        (r"1{,}200", "1200"),
        ("1 234 567", "1234567"),
        ("1/2", "0.5"),
        (r"\frac{1}{2}", "0.5"),
        (r"\dfrac12", "0.5"),
        ("0.50", "0.5"),
        (".5", "0.5"),
        ("1 1/2", "1.5"),
        (r"1\frac{1}{2}", "1.5"),
        (r"-\frac{1}{2}", "-0.5"),
        ("2/6", "1/3"),
        ("1e3", "1000"),
        ("-3", "-3"),
        ("−3", "-3"),
        ("is -3", "-3"),
        ("-$5", "-5"),
        ("5 - 3", "3"),
        ("#### -0", "0"),
        ("1/0", None),
        ("no number here", None),
        ("", None),
    ],
)
def test_numbers_have_one_spelling(text: str, answer: str | None) -> None:
    assert extract(text, "number") == answer


@pytest.mark.parametrize("text", ["<think>12", "<think>a</think><think>12", "<reasoning> so 12", "[THINK]12"])
def test_no_answer_while_a_thinking_block_is_open(text: str) -> None:
    assert visible(text) is None
    for kind in KINDS:
        assert extract(text, kind) is None


@pytest.mark.parametrize(
    "group",
    [
        [r"\boxed{2\sqrt{2}}", r"\boxed{\sqrt{8}}", "the answer is 2*sqrt(2)", "#### 2√2"],
        [r"\boxed{\frac{1+\sqrt5}{2}}", r"\boxed{\frac{1}{2}+\frac{\sqrt{5}}{2}}"],
        [r"\boxed{(x+1)^2}", r"\boxed{x^2+2x+1}", "answer: x**2+2*x+1"],
        [r"\boxed{(3,\frac{\pi}{2})}", r"\boxed{\left( 3, \frac{\pi}{2} \right)}", r"The answer is $(3,\pi/2)$."],
        [r"\boxed{\text{Evelyn}}", "answer: Evelyn.", "#### evelyn"],
        [r"\boxed{1,-2}", r"\boxed{-2, 1}", r"\boxed{x=1 \text{ or } x=-2}"],
        [r"\boxed{6-5i}", r"\boxed{-5i+6}"],
        [r"\boxed{(-\infty,2)\cup(3,\infty)}", r"\boxed{\left(-\infty, 2\right) \cup \left(3, \infty\right)}"],
        [r"\boxed{\begin{pmatrix}1\\2\end{pmatrix}}", r"\boxed{\begin{pmatrix} 1 \\ 4/2 \end{pmatrix}}"],
        [r"\boxed{\frac{1}{\sqrt2}}", r"\boxed{\frac{\sqrt{2}}{2}}"],
        [r"\boxed{\text{(B)}}", "#### B"],
        [r"\boxed{0.1x}", r"\boxed{\frac{x}{10}}"],
        [r"\boxed{2^{10}}", "1024"],
        [r"\boxed{90^\circ}", "#### 90"],
    ],
)
def test_equal_expressions_are_equal_strings(group: list[str]) -> None:
    answers = {extract(text) for text in group}
    assert len(answers) == 1 and None not in answers
    answer = answers.pop()
    assert extract(rf"\boxed{{{answer}}}") == answer


@pytest.mark.parametrize(
    ("one", "other"), [("(1, 2)", "(2, 1)"), ("[1, 2)", "(1, 2)"), ("x+1", "x-1"), (r"\sqrt{2}", "1.414"), ("2x", "2y")]
)
def test_different_expressions_differ(one: str, other: str) -> None:
    assert extract(rf"\boxed{{{one}}}") != extract(rf"\boxed{{{other}}}")
    assert grade(extract(rf"\boxed{{{one}}}"), other) == 0.0


def test_math_verify_has_the_last_word_in_grading() -> None:
    assert grade("0.333333", "1/3") == 1.0
    assert grade("0.33", "1/3") == 0.0
    assert grade(extract(r"\boxed{\frac{\sqrt{3}}{2}}"), r"\sin(\frac{\pi}{3})") == 1.0
    assert grade(None, "1") == 0.0


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is (B).", "B"),
        ("B", "B"),
        ("#### b", "B"),
        (r"\boxed{\text{B}}", "B"),
        ("**B.** Rome", "B"),
        ("The answer is B because A is wrong", "B"),
        ("The answer is Rome.", "B"),
        ("I think\nOption B", "B"),
        ("The answer is a city I do not know", None),
        ("nothing of the kind", None),
    ],
)
def test_choices(text: str, letter: str | None) -> None:
    assert extract(text, "choice", choices=("Paris", "Rome", "Oslo")) == letter


def test_texts_and_exact_answers() -> None:
    assert extract("So:\nThe answer is 'New  York'.", "text") == "new york"
    assert extract("#### `New York`", "exact") == "New York"
    assert extract("one\n\nlast line  ", "exact") == "last line"
    assert grade("new york", "New York.", "text") == 1.0
    assert extract("The capital is…\nThe answer is Paris.", "auto") == "Paris"
    assert extract("so it is 12 km", "auto") == "12"


def test_an_unknown_kind_says_which_there_are() -> None:
    with pytest.raises(UsageError, match="math, number"):
        extractor("maths")


def test_saying_that_there_is_no_answer() -> None:
    read = extract_or_unknown(extractor("number"))
    assert read("It has 5 and 6.\n#### unknown") == "unknown"
    assert read("The answer cannot be determined.") == "unknown"
    assert read("The unknown is x.\n#### 12") == "12"


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        r"\boxed{9^{9^{9}}}",
        r"\boxed{(9^{99})^{99}}",
        r"\boxed{9^{(9^9)}}",
        r"\boxed{99999999!}",
        r"\boxed{(a+b+c+d+e+f)^{24}}",
        r"\boxed{\sum_{i=1}^{99999999} i}",
        rf"\boxed{{{'(' * 100}1{')' * 100}}}",
        "9" * 1_000_000,
        "1e999999",
        r"\boxed{" * 20_000,
        "answer is " * 50_000,
        "(" * 100_000,
        "<think>" * 100_000,
        "1," * 100_000,
        "1/" * 100_000,
        "$x$ " * 50_000,
        "answer " * 100_000,
        "-" * 100_000 + "1",
        " " * 100_000 + "1",
        "#### " * 50_000,
    ],
)
@pytest.mark.timeout(60)
def test_nothing_hangs(text: str) -> None:
    for kind in KINDS:
        answer = extract(text, kind)
        assert answer is None or len(answer) <= 400


def test_expressions_are_read_in_any_thread() -> None:
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(extract(r"\boxed{\sqrt{12}+y}")))
    thread.start()
    thread.join()
    assert found == [extract(r"\boxed{y+2\sqrt{3}}")]


numbers = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.decimals(-(10**6), 10**6, places=3).map(lambda d: f"{d:f}"),
    st.tuples(st.integers(-999, 999), st.integers(1, 999)).map(lambda f: f"{f[0]}/{f[1]}"),
)


@settings(deadline=None)
@given(numbers)
def test_a_canonical_number_states_itself(number: str) -> None:
    canonical = as_canonical(number, "number")
    assert canonical is not None and as_canonical(canonical, "number") == canonical
    for kind in ("number", "math"):
        read = extractor(kind)
        for form in ("{}", "#### {}", "The answer is {}.", r"I got 7, so \boxed{{{}}}.", "<answer>{}</answer>"):
            assert read(form.format(number)) == canonical
            assert read(form.format(canonical)) == canonical
    assert grade(canonical, number, "number") == grade(canonical, number, "math") == 1.0


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12))
def test_separators_do_not_matter(number: int) -> None:
    assert extract(f"{number:,}", "number") == extract(f"{number:,}.00") == str(number)


@given(st.text(max_size=300), st.sampled_from(KINDS))
@settings(deadline=None, max_examples=300)
def test_any_text_is_read_without_failing(text: str, kind: str) -> None:
    answer = extractor(kind)(text)
    assert answer is None or (isinstance(answer, str) and answer)


PARTS = r"1 2 x y + - ^ ^2 \frac { } ( ) \sqrt \pi , = / . ! \log \text{a} [ ] \begin{pmatrix} & \\ | < % $ e i \infty"
latex = st.lists(st.sampled_from(PARTS.split(" ")), max_size=14).map("".join)


@given(latex)
@settings(deadline=None, max_examples=200)
@example(r"1\log\log\log\text{a}")
def test_any_formula_is_read_and_states_itself(formula: str) -> None:
    answer = as_canonical(formula, "math")
    assert answer is None or (len(answer) <= 400 and as_canonical(answer, "math") == answer)


polynomials = st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 4)), min_size=1, max_size=4)


@given(polynomials, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_the_order_of_terms_does_not_matter(terms: list[tuple[int, int]], random: object) -> None:
    def told(parts: list[tuple[int, int]]) -> str:
        return " + ".join(f"({c})x^{{{e}}}" for c, e in parts)

    shuffled = list(terms)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    answer = extract(rf"\boxed{{{told(terms)}}}")
    assert answer == extract(rf"\boxed{{{told(shuffled)}}}")
    assert extract(rf"\boxed{{{answer}}}") == answer


def test_braces_without_end_are_compared_without_failing() -> None:
    for braces in ("{" * 3000, "{" * 1500 + "1" + "}" * 1500, "{ " * 1500 + "1" + " }" * 1500):
        assert grade(braces, "4", "math") == grade("4", braces, "math") == 0.0
