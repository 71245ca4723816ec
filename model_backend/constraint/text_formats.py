"""The formats of JSON Schema as regular expressions.

What they accept is valid to `validation.validate`; of what is valid they leave out rarities: leap seconds, the year 0,
quoted e-mail addresses, names of hosts that are nearly too long. So a text that a model was led through is never
refused afterwards.
"""

from __future__ import annotations

__all__ = ["FORMATS"]

_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP_YEAR = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)"
_DAY = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
_DATE = f"({_YEAR}-{_DAY}|{_LEAP_YEAR}-02-29)"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_CLOCK}:[0-5][0-9](\.[0-9]{{1,9}})?(Z|[+\-]{_CLOCK})"

_COUNT = "[0-9]{1,6}"
_HOURS = f"T({_COUNT}H({_COUNT}M({_COUNT}S)?)?|{_COUNT}M({_COUNT}S)?|{_COUNT}S)"
_DAYS = f"({_COUNT}Y({_COUNT}M({_COUNT}D)?)?|{_COUNT}M({_COUNT}D)?|{_COUNT}D)"

_ALNUM = "[A-Za-z0-9]"
# Two hyphens in a row are left out: after two letters they begin a code that has to be valid.
_LONG_LABEL = f"({_ALNUM}{{1,63}}|{_ALNUM}(-?{_ALNUM}){{0,31}})"
_LABEL = f"({_ALNUM}{{1,30}}|{_ALNUM}(-?{_ALNUM}){{0,14}})"
_HOST = rf"({_LABEL}(\.{_LABEL}){{0,7}}|{_LONG_LABEL}(\.{_LONG_LABEL}){{0,2}})"

_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"({_BYTE}\.){{3}}{_BYTE}"
_GROUP = "[0-9a-fA-F]{1,4}"

_IN_LOCAL = "[A-Za-z0-9_+%&'=\\-]"
_LOCAL = (  # 64 characters at most
    f"({_IN_LOCAL}{{1,64}}|{_IN_LOCAL}{{1,31}}\\.{_IN_LOCAL}{{1,31}}"
    f"|{_IN_LOCAL}{{1,20}}(\\.{_IN_LOCAL}{{1,20}}){{2}}|{_IN_LOCAL}{{1,15}}(\\.{_IN_LOCAL}{{1,15}}){{3}})"
)

_IN_PATH = r"([A-Za-z0-9._~!$&'()*+,;=:@\-]|%[0-9A-Fa-f]{2})"
_AUTHORITY = rf"([A-Za-z0-9._~\-]{{1,64}}@)?({_HOST}|{_IPV4})(:[1-9][0-9]{{0,4}})?"
_HIERARCHY = f"(//({_AUTHORITY})?(/{_IN_PATH}*)*|{_IN_PATH}+(/{_IN_PATH}*)*)"
_TAIL = rf"(\?({_IN_PATH}|[/?])*)?(#({_IN_PATH}|[/?])*)?"


def _ipv6() -> str:
    """All places where ``::`` may stand, with and without an address of four bytes at the end."""
    forms = [f"({_GROUP}:){{7}}{_GROUP}", f"({_GROUP}:){{6}}{_IPV4}", f"({_GROUP}:){{7}}:"]
    for before in range(7):
        left = f"({_GROUP}:){{{before}}}:" if before else "::"
        forms.append(f"{left}({_GROUP}(:{_GROUP}){{0,{6 - before}}})?")
        if before < 6:
            forms.append(f"{left}({_GROUP}:){{0,{5 - before}}}{_IPV4}")
    return "(" + "|".join(forms) + ")"


FORMATS: dict[str, str] = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "duration": f"P({_DAYS}({_HOURS})?|{_HOURS}|{_COUNT}W)",
    "email": f"{_LOCAL}@{_HOST}",
    "hostname": _HOST,
    "ipv4": _IPV4,
    "ipv6": _ipv6(),
    "uuid": "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "uri": f"[A-Za-z][A-Za-z0-9+.\\-]{{0,30}}:{_HIERARCHY}{_TAIL}",
}
"""By name; each matches the whole text."""
