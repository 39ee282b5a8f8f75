"""The rules that tag behaviours: a sentence shows a behaviour if one of its patterns occurs in it, in any case."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from clew.analysis.segment import SWITCH


class Behaviour(StrEnum):
    """A behaviour of a step of reasoning; a step may show several of them, or none."""

    VERIFICATION = "verification"  # checks something that was found before
    BACKTRACKING = "backtracking"  # gives up or doubts what was done, and goes back
    SUBGOAL = "subgoal"  # names an intermediate result to be found
    BACKWARD = "backward"  # reasons from the goal to what it needs
    RESTATEMENT = "restatement"  # repeats what is asked or given
    CALCULATION = "calculation"  # computes something
    PLANNING = "planning"  # announces an approach
    UNCERTAINTY = "uncertainty"  # says that it does not know
    HEDGING = "hedging"  # weakens a claim
    ANSWER = "answer"  # states the final answer


BEHAVIOURS = tuple(Behaviour)

_DO = r"find|compute|calculate|determine|get|work out|figure out|evaluate|derive|count|obtain|identify|solve for"
_DOING = r"finding|computing|calculating|determining|working out"
_LET = r"(?:let me|let's|let us|(?:i|we)(?:'ll| will| need to| should| can))"
_AGAIN = r"(?:just |now |quickly |also |first |then |next |instead )*"
_UNITS = r"(?:[%°$€]|[a-zA-Z]{2,}[²³]?\.?)?\)*"
_NUMBER = rf"(?:\d[\d,.]*\d|\d)\s*{_UNITS}"
_OPERATOR = r"(?:[-+*/×÷·^%]|\\times|\\cdot|\\div|mod|plus|minus|times)"

_PATTERNS: Mapping[Behaviour, tuple[str, ...]] = {
    Behaviour.VERIFICATION: (
        r"\b(?:double|sanity|re|cross)[- ]?check",
        rf"\b{_LET} {_AGAIN}(?:check|verify|confirm|validate|test|make sure|see (?:if|whether))\b",
        r"^(?:check|verify|test)(?:ing)?\b(?=.*[:=])",
        r"^(?:verification|proof)\b(?=.*[:=])",
        r"\bto (?:verify|check|confirm|be sure|be safe)\b",
        r"\b(?:this|that|it|which|everything|both)(?:'s| is| are) (?:indeed |also )?(?:correct|consistent|satisfied)\b",
        r"\b(?:this|that|it|which|everything|both) (?:indeed )?(?:match(?:es)?|checks? out|works out|agrees? with)\b",
        r"\b(?:is|are) indeed\b",
        r"\b(?:plugging|substituting|putting)\b.*\b(?:back|confirms|satisf\w*|original)\b",
        r"\bas (?:required|expected|desired|it should)\b|✓|✔",
        r"^indeed\b.*=|^yes,? (?:that|this|it) ",
        r"\bis .{1,40}\b(?:really|right|correct)\b.*\?",
    ),
    Behaviour.BACKTRACKING: (
        rf"^(?!.{{0,24}}(?:alternatively|second thought|another))(?:{SWITCH.pattern})",
        r"\bi (?:made (?:a mistake|an error)|misread|miscounted|forgot|overlooked|was wrong)\b",
        r"\b(?:scrap|scratch|forget|drop|abandon|discard) (?:that|this|it)\b",
        r"\b(?:contradiction|dead end)\b",
    ),
    Behaviour.SUBGOAL: (
        rf"^(?:first|second|third)(?:ly)?\b[^.=]{{0,14}}\b(?:{_DO})\b",
        rf"^(?:next|then|now|finally)\b,? (?:{_LET} |we have to |i have to )?(?:{_DO})\b",
        rf"\b(?:{_LET}|have to|need to|must|want to) {_AGAIN}(?:{_DO})\b(?! (?:the answer|it)\b)",
        rf"\b(?:first|(?:begin|start) (?:by|with)|starting with)\b.{{0,20}}\b(?:{_DO}|{_DOING})\b",
        r"^first, (?:the|for|consider|look)\b[^=]*:",
        r"^\W*(?:step|part|case) [\dA-Z]+\b[.:]",
        rf"^(?:{_DO}|multiply|subtract|add|divide|convert)\b(?! (?:this|that|up)\b)",
    ),
    Behaviour.BACKWARD: (
        r"\bwork(?:ing|s|ed)? backwards?\b|\bbackwards? (?:chain|from|reason)",
        r"\bto (?:get|reach|achieve|end|obtain|win|make|have|move|finish|arrive)\b[^.]{0,60}"
        r"\b(?:must|needs?|would need|ha(?:s|ve) to|would have to|could use|requires?)\b",
        r"\bstarting from the (?:goal|target|answer|end)\b|\bif the answer (?:is|were|was)\b",
        r"\bthe (?:goal|target) (?:requires|needs)\b|\bbefore the last (?:move|step)\b",
    ),
    Behaviour.RESTATEMENT: (
        r"\b(?:the|this) (?:question|problem|task|statement|puzzle)"
        r" (?:says|asks|states|is asking|is to|wants|gives|tells|mentions)",
        r"\b(?:we|i)(?:'re| are|'m| am) (?:asked|given|told)\b",
        r"\b(?:given|asked|to find|find)\s*:|^given (?:that|an?|the)\b",
        r"\bread (?:it|that|the (?:question|problem)) again\b|\bin other words\b|^so (?:it|the question) asks\b",
        r"\b(?:we|i) (?:need|have|want) to (?:find|determine|compute|figure out)"
        r" (?:how (?:many|much|long|far)|the (?:number|total|smallest|largest|value))\b",
    ),
    Behaviour.CALCULATION: (
        rf"{_NUMBER}\s*{_OPERATOR}\s*\(*\$?[-\d(][^=]*=\s*\$?-?[\d(]",
        r"(?:=|≈|\\approx)\s*&?\s*\$?\\?-?(?:\d|sqrt|frac|pm|\()[^=]*(?:=|≈)\s*\S",
        r"\b(?:gives?|gets?|becomes?|yields?|obtain|find|have|leaves|leads to|equals|simplif\w+)\b[^=]*[\d)}a-z]\s*=",
        r"\b[a-zA-Z](?:'|\\prime)*\([^()=]*\)\s*=\s*-?[\d\\(a-z]",
        r"=\s*-?[\d.]*\s*/\s*\d|\\(?:frac|sqrt|det|sum)\b.*=|\d\s*!\s*/|\d\s*mod\s*\d",
        r"(?:^|\n)\s*-?\d*[a-z](?:\s*[-+]\s*\d+)?\s*=\s*-?\d",
    ),
    Behaviour.PLANNING: (
        r"\b(?:my|our|the|here(?: is|'s) the) (?:plan|strategy|approach|idea)\b",
        rf"\b{_LET} {_AGAIN}(?:try|use|apply|write|move|break|consider|start|begin|set up|think|approach|proceed|factor"
        r"|look at|do this|sort|split)\b",
        r"\b(?:i|we) (?:could|might|can) (?:also )?(?:use|try|apply|sort|start)\b",
        r"\b(?:one way|another approach|another way|a different approach|alternatively)\b",
        r"^to (?:solve|answer|decide|prove|show|approach)\b|\bsuppose (?:first )?that\b|^suppose\b",
        r"^(?:we|i) (?:complete|use|apply|proceed|factor|prove|argue)\b",
    ),
    Behaviour.UNCERTAINTY: (
        r"\b(?:i'm|i am|not) (?:not |un)?(?:sure|certain|confused|stuck)\b",
        r"\bi (?:don't|do not|can't|cannot) (?:know|recall|remember|see|understand|tell)\b",
        r"\b(?:unclear|ambiguous|confusing|tricky|no idea|confused)\b|\bwho knows\b",
    ),
    Behaviour.HEDGING: (
        r"\b(?:probably|perhaps|maybe|possibly|likely|presumably|apparently|roughly speaking)\b",
        r"\b(?:might|may|could) (?:be|have|fail|well|not)\b|\bi (?:think|guess|believe|suppose|suspect)\b",
        r"\b(?:seems?|appears?) (?:to|that|like|right|correct|plausible)\b|\b(?:only|just) a guess\b",
        r"\bshould (?:work|be (?:fine|right|ok))\b",
    ),
    Behaviour.ANSWER: (
        r"\\f?boxed\b|####\s*\S|<answer>",
        r"\bis \*\*[^*\n]+\*\*|^\*\*[^*\s]+\*\*$",
        r"\b(?:final |correct |my )?(?:answer|result|correct choice)\b\W{0,4}(?:is|are|would be|=|:)",
        r"^(?:so|thus|therefore|hence),? (?:[^.=]{0,30}\b)?the"
        r" (?:answer|solutions?|maximum|minimum|value|total|area|first|largest|smallest|number)\b[^?]*\b(?:is|are)\b",
        r"^(?:so|thus|therefore|hence),? the \w+ is\b",
    ),
}
RULES: Mapping[Behaviour, re.Pattern[str]] = {
    name: re.compile("|".join(patterns), re.IGNORECASE) for name, patterns in _PATTERNS.items()
}
