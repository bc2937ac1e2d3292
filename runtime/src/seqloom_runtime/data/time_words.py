"""Names of months and weekdays in the languages that tables are often written in, in lower case."""

from __future__ import annotations

__all__ = ["MONTHS", "WEEKDAYS"]

# English, German, French, Spanish, Italian, Portuguese, Dutch; no name means two different months.
_MONTHS = (
    "january jan januar jän jänner janvier janv enero ene gennaio gen janeiro januari",
    "february feb februar februari février fevrier févr fevr febrero febbraio fevereiro fev",
    "march mar märz maerz mär mrz mars marzo março marco maart mrt",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug août aout agosto ago augustus",
    "september sept sep septembre septiembre settembre set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez décembre decembre déc diciembre dic dicembre dezembro",
)
MONTHS: dict[bytes, int] = {name.encode(): month for month, names in enumerate(_MONTHS, 1) for name in names.split()}

_WEEKDAYS = (
    "monday mon tuesday tues tue wednesday wed thursday thurs thur thu friday fri saturday sat sunday sun "
    "montag dienstag mittwoch donnerstag freitag samstag sonntag mo di mi do fr sa so"
)
WEEKDAYS: tuple[bytes, ...] = tuple(sorted((name.encode() for name in _WEEKDAYS.split()), key=len, reverse=True))
