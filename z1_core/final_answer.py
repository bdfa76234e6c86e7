r"""Where a text states its final answer: for judging mathematics and letters, and for the page's Compare. Pure functions.

From the surest place to the least sure: what is stated behind a box that it takes back ("wait, that is wrong: the answer
is 5"); the last \boxed{} or \fbox{}; a "#### 42" line (GSM8K; a Markdown heading like "#### Step 1" is none); "the answer
is ..."; the lines of the text, the last one first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

BOX = r"\\+(?:boxed|fbox|framebox)\s*"
EMPTY_BOX = re.compile(BOX + r"\{\s*\}")
UNBRACED_BOX = re.compile(BOX + r"(-?\d+(?:[.,]\d+)*)")
BRACE = re.compile(BOX + r"\{|\\.|[{}]", re.DOTALL)
BETWEEN_ONE_ANSWERS_BOXES = re.compile(
    r"(?:[\s$,;]|\\[()\[\],; ]|\\q?quad)*(?:\\text\{\s*)?(?:and|or|,|;)[\s}$\\()\[\]]*(?:[a-z]\w*\s*=\s*)?"
)
MOST_BETWEEN_BOXES, LAST_LINES = 40, 50
HASHES = re.compile(r"^[ \t]*####[ \t]*([-$€£\d][\d,./ ]*(?<=\d)%?)[ \t]*$", re.MULTILINE)
BOLD = re.compile(r"(?<![\w)}\]])\*\*(?=\S)([^*\n]+)(?<=\S)\*\*(?!\w)")
DRESS = re.compile(
    r"</?(?:(?:final[_ ])?answer|b|i|u|em|strong|code|p|br|s)>|<\|\w+\|>|[\u2700-\u2793\U0001F300-\U0001FAFF\uFE0F]|\\!\s*"
)
"""Of HTML, control tokens, pictures, and LaTeX's \\!."""
NEXT_TURN = re.compile(r"\n\s*(?:\*\*|#+ )?(?:Human|User|Question|Problem|Q)(?: \d+)?\s*:")
"""Of a base model that goes on behind its answer with a question of its own making."""
SAID_IN_LATEX = re.compile(r"\\text(?:bf|it|rm)?\s*\{([^{}]*\bans(?:wer)?\b[^{}]*)\}", re.IGNORECASE)
VALUE = re.compile(r"(?=[^\n]*\d)(?:\\[A-Za-z]+|[^A-Za-z=\n])+(?:[A-Za-z]{2,}\W*){0,2}")
"""With a unit, and without variables."""
ALONE = re.compile(rf"\s*(?:[A-J][).:][^\n]*|{VALUE.pattern})\s*")
"""A letter with its option's words, or a value."""
DISPLAYED = re.compile(r"(?:\\\[|\$\$)((?:(?!align|gather).){0,400}?)([.,;]?\s*)(?:\\\]|\$\$)", re.DOTALL)
HEDGE = r"(?:most likely|likely|probably|indeed|clearly|simply|just|therefore|thus|then|hence|definitely|actually)"
STATEMENT = re.compile(
    r"(?:\b(?:answer|ans|choice|option)s?\b\.?(?:,[^,.\n]{1,20},| here| then| now| overall"
    r"|\s(?:to|for|of|among|that|which)\s(?:(?!wrong|incorrect|ruled|eliminat|violat|not\b)[^.,:;?\n$\\]){1,50}?)?|答案)"
    rf"(?:\s+(?:(?:should|would|must|will|(?:is )?\w+(?: out)? to)(?:\s+{HEDGE})?\s+be|is|are|to be)\b"
    r"|['’]s\b|\s*(?:=>|->|→|[:：=|是为])|\s+[-–—](?=\s))"
    rf"(?:[\s:：=,]|{HEDGE}\b)*(?=([^\n]{{1,300}}))",
    re.IGNORECASE,
)
DOUBTED = re.compile(
    r"\b(?:if|whether|suppose|assum\w+|unless|not think|doubt)\b[^.:;\n]*$"
    r"|\b(?:wrong|incorrect|neither|nor)\b[^.:;,\n]*$",
    re.IGNORECASE,
)
"""In front of a sentence that does not state its answer."""
REASON = re.compile(
    r"[.;]\s|\s\(|\s[—–]\s|,?\s(?:because|since|as|which|so|where|when|attained|achieved|not|rather|instead"
    r"|at(?= \$?[a-z]\s*=))\s"
)
INSTEAD = re.compile(r"^\W*(?:\w+ly )?(?:not|neither)\b.*?(?:;|\b(?:but|rather|instead|it is|it's))\s+", re.IGNORECASE)
REJECTED = re.compile(
    r"^\W*(?:\w+ly )?(?:not|never|neither|none|less|more|greater|fewer|between|at (?:least|most)|different|other)\b",
    re.IGNORECASE,
)
RETRACTS = re.compile(r"\b(?:wait|mistake|wrong|incorrect|correction|error)\b", re.IGNORECASE)
CHECKS = r"(?:(?:We|You) can|Let us|Let me|Let['’]s|To) (?:\w+[- ])?(?:check|verify)\b"
SMALL_TALK = re.compile(
    r"^(?!.*\bis \w+!$)[^\d$\\]*[A-Za-z][!?]\W*$|\\(?:blacksquare|square|Box)|^\W*(?:Q\.?E\.?D\W*|Step \d+\W*)$"
    rf"|^\W*(?:Note|Remark|Check|Verification)\b[^\n\d]{{0,20}}:|^\W*{CHECKS}"
    r"|[.!] [^.=]*\b(?:is|are|was|were|equals|equal to|of|the|an?|by|and|that|which|with|for|in)\s*$"
)
DELIMITERS = re.compile(r"^(?:\$\$?|\\\(|\\\[)(.*?)(?:\$\$?|\\\)|\\\])$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalAnswer:
    """kind: a box (or a "#### 42") is the answer whatever it holds; anything else only where it reads as one.
    start: where it stands."""

    kind: Literal["box", "statement", "line"]
    content: str
    start: int = 0


def final_answers(text: str) -> list[FinalAnswer]:
    """Every place that may state the answer, surest first; none for an empty text."""
    text = UNBRACED_BOX.sub(r"\\boxed{\1}", BOLD.sub(r"\1", undressed(own_turn(text))))
    found = statements(retraction(text))[::-1]
    found += [FinalAnswer(kind="box", content=", ".join(group)) for group in boxes(text)[:1]]
    text = re.split(BOX + r"\{", EMPTY_BOX.sub("", text))[0]
    found += [FinalAnswer(kind="box", content=number) for number in reversed(HASHES.findall(text))]
    found += reversed(statements(text))
    lines = [*_leading(text), *reversed(re.split(rf"\n|(?<=[.!$)*]) (?={CHECKS})", text)[-LAST_LINES:])]
    contents = [trimmed(re.sub(r"^\s*[#>]+", "", line)) for line in lines if not SMALL_TALK.search(line)]
    return found + [FinalAnswer(kind="line", content=content) for content in contents if content]


def _leading(text: str) -> list[str]:
    """A first paragraph, or sentence with a unit ("5 apples."), that is a value alone, with prose to the end behind it: an
    answer to "the final answer should be:" that goes on to explain itself."""
    first, *rest = re.split(r"\n\n|(?<=[a-z]\.) (?=[A-Z])", text.strip(), maxsplit=1)
    last = "".join(rest).rstrip().rpartition("\n")[-1].split()
    return [first] if len(first) < 40 and VALUE.fullmatch(first) and len(last) > 2 else []


def own_turn(text: str) -> str:
    """Without a next question behind the answer; a question that only restates the problem has none in front of it."""
    turn = NEXT_TURN.split(text, maxsplit=1)[0]
    has_answered = boxes(turn) or statements(turn) or HASHES.search(turn) or ALONE.fullmatch(turn)
    return turn if has_answered else text


def undressed(text: str) -> str:
    """Without HTML and pictures; displayed formulas on one line each, what they say in words bare, and "isn't" in full."""
    text = re.sub(r"(?<=\w)n['’]t\b", " not", DRESS.sub("", text))
    text = DISPLAYED.sub(lambda formula: f" ${' '.join(formula[1].split())}${formula[2].strip()} ", text)
    return SAID_IN_LATEX.sub(r"\1", text)


def retraction(text: str) -> str:
    """What stands behind the last box, if it takes the box back."""
    closed = _closed_boxes(text)
    behind = text[closed[-1][1] :] if closed else ""
    return behind if RETRACTS.search(behind) else ""


def statements(text: str) -> list[FinalAnswer]:
    """What stands behind each "the answer is", to the end of its line; in the order of the text."""
    found = [(match.start(), affirmed(trimmed(match[1]))) for match in STATEMENT.finditer(text)]
    return [
        FinalAnswer(kind="statement", content=content, start=start)
        for start, content in found
        if content and not is_doubted(text, start)
    ]


def affirmed(sentence: str) -> str:
    """What is said to be: "B" of "not A but B", nothing of "not A"."""
    sentence = INSTEAD.sub("", sentence)
    return "" if REJECTED.match(sentence) else sentence


def is_doubted(text: str, start: int) -> bool:
    """Whether the sentence that goes on at `start` only supposes ("if the answer is 5") or rejects its answer."""
    return bool(DOUBTED.search(text, max(0, start - 40), start))


def clause(sentence: str) -> str:
    """Without the reasons behind it: "18 dollars" of "18 dollars, since 9 * 2 = 18"."""
    return trimmed(REASON.split(sentence)[0])


def boxes(text: str) -> list[list[str]]:
    r"""The contents of each answer's boxes, the last answer first: those that only "and", "or" or a comma part are one.

    Empty boxes do not count (a prompt's "in \boxed{}" repeated), nor one that was cut before its brace closed: who
    boxed "12" may have been writing 123. A box restated ("\boxed{7}, and \boxed{7} indeed") counts once.
    """
    groups: list[list[str]] = []
    start_of_next: int | None = None
    for start, end, content in reversed(_closed_boxes(text)):
        between = text[end:start_of_next] if start_of_next is not None else None
        if between is None or len(between) > MOST_BETWEEN_BOXES or not BETWEEN_ONE_ANSWERS_BOXES.fullmatch(between):
            groups.append([])
        if content not in groups[-1]:
            groups[-1].insert(0, content)
        start_of_next = start
    return groups


def _closed_boxes(text: str) -> list[tuple[int, int, str]]:
    """Start, end and content of each box with content that lies in no other; in one pass, however hostile the text."""
    open_braces: list[re.Match[str]] = []
    found: list[tuple[int, int, str]] = []
    for brace in BRACE.finditer(text):
        if brace[0].endswith("{") and brace[0] != "\\{":
            open_braces.append(brace)
        elif brace[0] == "}" and open_braces:
            opening = open_braces.pop()
            content = text[opening.end() : brace.start()].strip() if opening[0] != "{" else ""
            if content:
                while found and found[-1][0] > opening.start():
                    found.pop()
                found.append((opening.start(), brace.end(), content))
    return found


def trimmed(line: str) -> str:
    """Without what surrounds an answer in prose: emphasis, quotes, a full stop, math delimiters."""
    line = re.sub(r"(\.\d+)\.\.\.+\W*$", r"\1…", line)
    line = line.strip().strip("*_`\"' \t").rstrip(".;,!:*_|□∎ ").strip()
    if wrapped := DELIMITERS.match(line):
        inner = wrapped[1].strip()
        return inner if not re.search(r"\$|\\[()\[\]]", inner) else line
    return line
