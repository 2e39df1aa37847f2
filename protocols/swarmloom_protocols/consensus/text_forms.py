"""One spelling for answers that differ in spelling alone, and the number an answer states.

Careful rather than thorough: what may change the meaning stays. ``10²`` is not ``102``, ``(1, 2)``
not ``[1, 2]``, ``5!`` not ``5``, and the answer ``A`` is not an article.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable

__all__ = ["normal_form", "stated_number"]

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
# Signs of one meaning that compatibility forms keep apart.
SIGNS = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        "⁄": "/",
        "∕": "/",
        "·": "*",
        "×": "*",
        "⋅": "*",
    }
)
LATEX_SIGNS = {
    r"\cdot": "*",
    r"\times": "*",
    r"\%": "%",
    r"\$": "$",
    r"\pi": "π",
    r"\infty": "∞",
    r"\left": "",
    r"\right": "",
    r"\!": "",
    r"\,": " ",
    r"\;": " ",
    r"\ ": " ",
    "~": " ",
}
WRAPPERS = re.compile(
    r"\\(?:boxed|fbox|text|textbf|textit|mathrm|mathbf|mathit|operatorname)\s*\{([^{}]*)\}"
)
FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
DELIMITED = [
    re.compile(pattern, re.S)
    for pattern in (
        r"\$\$([^$]*)\$\$",
        r"\$([^$]*)\$",
        r"\\\(((?:(?!\\[()]).)*)\\\)",
        r"\\\[((?:(?!\\[\[\]]).)*)\\\]",
        r"\*\*([^*]*)\*\*",
        r'"([^"]*)"',
        r"'([^']*)'",
    )
]
BRACKETED = re.compile(r"\(?(\w+)\)|\[(\w+)\]|\{(\w+)\}")
LATEX_SIGN = re.compile("|".join(map(re.escape, sorted(LATEX_SIGNS, key=len, reverse=True))))
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
ARTICLE = re.compile(r"\b(?:the|an)\s+(?=\w)|^a\s+(?!and\b|or\b)(?=\w\w)")
# A unit after a number: up to three words of letters and signs of units.
UNIT = re.compile(r"^([-+]?[\d.]++(?:/\d++)?(?:e[-+]?\d++)?)\s*+(?:%|°|[^\W\d_])[^\d]*(?:\^-?\d)?$")
CURRENCY = re.compile(r"^([-+]?)\s*[$€£¥]\s*(?=[-+]?[\d.])")
# Digits are never given back (++): a long row of them would be tried at every length.
NUMBER = r"[-+]?(?:\d++(?:\.\d*+)?+|\.\d++)(?:e[-+]?\d++)?+"
WITH_DIVISOR = rf"({NUMBER})(?:/(\d++(?:\.\d*+)?+))?+\s*(%?)"
WHOLE_NUMBER = re.compile(WITH_DIVISOR)
MIXED_NUMBER = re.compile(r"([-+]?)(\d++)\s++(\d++)/(\d++)")
# What makes a number a part of something else: an exponent, a root, "5!", "1,5", "-(5)".
BEFORE = re.compile(r"(?:[\^√]|sqrt|\d,)[({]?$|-[({]$")
AFTER = re.compile(r"[)}]?[!^]")
ANY_NUMBER = re.compile(rf"(?<![\w.]){WITH_DIVISOR}")


def normal_form(
    text: str,
    *,
    case: bool = True,
    articles: bool = True,
    punctuation: bool = True,
    latex: bool = True,
    units: bool = False,
) -> str:
    r"""Return the one spelling of an answer.

    Characters of one meaning (widths, dashes, quotation marks, invisible ones) and white space
    are always unified. Applying the function twice changes nothing more.

    Parameters
    ----------
    text : str
        An answer, not a whole reasoning: nothing is extracted.
    case : bool, optional
        Unify upper and lower case.
    articles : bool, optional
        Drop "the" and "an", and a leading "a" before a word of two letters or more.
    punctuation : bool, optional
        Drop quotation marks, closing punctuation, thousands' commas, hyphens between letters, and
        brackets around one word.
    latex : bool, optional
        Unwrap ``$…$``, ``\boxed{…}``, ``\text{…}`` and the like, and write ``\frac{1}{2}`` as
        1/2.
    units : bool, optional
        Drop a unit after a number, and the currency before it. Then 5 km is 5 miles, and 2x is 2.

    Returns
    -------
    str
        Empty where nothing is left.
    """
    steps: list[Callable[[str], str]] = [_one_character_each]
    steps += [_without_latex] * latex + [str.casefold] * case
    steps += [_without_punctuation] * punctuation + [_without_articles] * articles
    steps += [_without_units] * units
    before = None
    # What one step uncovers another may take away.
    while text != before:
        before = text
        for step in steps:
            text = " ".join(step(text).split())
    return text


def _one_character_each(text: str) -> str:
    """Unify characters of one meaning; exponents and mixed fractions keep theirs."""
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+", lambda m: "^" + m[0].translate(SUPERSCRIPTS), text)
    text = re.sub("[₀₁₂₃₄₅₆₇₈₉]+", lambda m: "_" + m[0].translate(SUBSCRIPTS), text)
    text = re.sub(r"(?<=\d)(?=[¼½¾⅐-⅞])", " ", text)
    text = unicodedata.normalize("NFKC", text).translate(SIGNS)
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def _without_latex(text: str) -> str:
    text = LATEX_SIGN.sub(lambda sign: LATEX_SIGNS[sign[0]], _undelimited(text))
    inner = 1
    while inner:
        text, inner = WRAPPERS.subn(r" \1 ", text)
    return FRACTION.sub(lambda m: f"{_operand(m[1])}/{_operand(m[2])}", text)


def _undelimited(text: str) -> str:
    """Drop signs that enclose the answer as a whole."""
    for pattern in DELIMITED:
        found = pattern.fullmatch(text)
        if found:
            return found[1]
    return text


def _operand(text: str) -> str:
    text = text.strip()
    return text if re.fullmatch(r"[\w.]+", text) else f"({text})"


def _without_punctuation(text: str) -> str:
    text = THOUSANDS.sub(lambda m: m[0].replace(",", ""), re.sub("(?<!\\d)['\"]", "", text))
    text = re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", " ", text)
    text = re.sub(r"(?<=[^\W\d_])[,;:]+(?=\s|[^\W\d_])", " ", text)
    text = re.sub(r"\s*([,;])\s*", r"\1", text)
    text = re.sub(r"(?<=[^\W\d_]{2})!+$", "", text.strip().strip(",;:?").rstrip("."))
    found = BRACKETED.fullmatch(text)
    return text if found is None else str(found[found.lastindex or 0])


def _without_articles(text: str) -> str:
    return re.sub(r"\s+", " ", ARTICLE.sub("", text)).strip()


def _without_units(text: str) -> str:
    return UNIT.sub(r"\1", CURRENCY.sub(r"\1", text))


def stated_number(text: str, *, last: bool = False) -> float | None:
    r"""Return the number that an answer is, or the last one in it.

    Fractions (3/4, 1 1/2, ``\frac{3}{4}``), percentages (50 % is 0.5), exponents (2e-3),
    thousands' commas and a currency before the number are understood.

    Parameters
    ----------
    text : str
        An answer.
    last : bool, optional
        Take the last number in a text rather than none where there is more than a number.

    Returns
    -------
    float or None
        None where there is no number, or none that is finite.
    """
    form = CURRENCY.sub(r"\1", normal_form(text, articles=False))
    mixed = MIXED_NUMBER.fullmatch(form)
    if mixed and float(mixed[4]):
        size = float(mixed[2]) + float(mixed[3]) / float(mixed[4])
        return _finite(-size if mixed[1] == "-" else size)
    found = WHOLE_NUMBER.fullmatch(form)
    if found is None and last:
        found = _last(form)
    return None if found is None else _value(*found.groups())


def _last(form: str) -> re.Match[str] | None:
    """Return the last number in a text, none where that is a part of something else."""
    found = next(reversed(list(ANY_NUMBER.finditer(form))), None)
    if found is None or AFTER.match(form, found.end()) or BEFORE.search(form[: found.start()]):
        return None
    return found


def _value(number: str, divisor: str | None, percent: str) -> float | None:
    below = float(divisor or 1) * (100 if percent else 1)
    return _finite(float(number) / below if below else math.nan)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
