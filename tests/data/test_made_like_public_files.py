"""Files made anew in the forms that meters, stations, counters, shops, exchanges, loggers and offices write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom.data import read_table

NAN = float("nan")
HOURS = range(24)
FILES: dict[str, tuple[str, dict[str, list[Any]], str]] = {
    "energy meter, German": (
        "\ufeffDatum von;Datum bis;Biomasse [MWh];Wasser [MWh]\n"
        + "".join(f"01.01.2020 {h:02}:00;01.01.2020 {h + 1:02}:00;1.{200 + h},25;{h},5\n" for h in range(23))
        + "01.01.2020 23:00;02.01.2020 00:00;-;7,5\n",
        {"Biomasse [MWh]": [1200.25, NAN], "Wasser [MWh]": [0.5, 7.5]},
        "points split thousands",
    ),
    "weather station, padded": (
        "STATION;STAMP;QN;TT;RF;eor\n" + "".join(f"   44;20200101{h:02};  3;  {h}.1; -999.0;eor\n" for h in HOURS),
        {"TT": [0.1, 23.1], "RF": [-999, -999]},
        "",
    ),
    "data logger, four header lines": (
        '"TOA5","CR1000","CR1000","1234"\n"TIMESTAMP","RECORD","AirTC","RH"\n"TS","RN","Deg C","%"\n"","","Avg","Smp"\n'
        + "".join(f'"2020-01-01 {h:02}:00:00",{h},{h}.5,"NAN"\n' for h in HOURS),
        {"AirTC": [0.5, 23.5], "RECORD": [0, 23]},
        "Lines 3 to 4 hold units or remarks",
    ),
    "gas in the air": (
        "# ---------\n# USE OF DATA\n#\n# year month decimal average\n"
        + "".join(f"1958   {m:2}    1958.{m:02}    31{m % 10}.71\n" for m in range(3, 13)),
        {"average": [313.71, 312.71], "month": [3, 12]},
        "Line 4 names the columns, although it begins with #",
    ),
    "stock prices": (
        "Date,Open,Close,Adj Close,Volume\n2020-01-02,74.05,75.08,73.05,135480400\n2020-01-06,null,null,null,null\n",
        {"Open": [74.05, NAN], "Volume": [135480400, NAN]},
        "",
    ),
    "stock prices, three header lines": (
        "Price,Close,High\nTicker,AAPL,AAPL\nDate,,\n2020-01-02,1.5,2.5\n2020-01-03,1.6,2.6\n",
        {"Close": [1.5, 1.6]},
        "Lines 2 to 3",
    ),
    "stock prices, quoted": (
        '"Date","Price","Vol.","Change %"\n"Jan 03, 2020","3,234.85","-","-0.71%"\n'
        '"Jan 02, 2020","3,257.85","5","0.84%"\n',
        {"Price": [3234.85, 3257.85], "Change %": [-0.71, 0.84], "Vol.": [NAN, 5]},
        "percent signs are left out",
    ),
    "web analytics": (
        "# ----\n# All Web Site Data\n# 20200101-20200107\n# ----\n\nDay Index,Users\n"
        + "".join(f'1/{d}/20,"1,{d:03}"\n' for d in range(1, 29)),
        {"Users": [1001, 1028]},
        "Lines 1 to 4 begin with #",
    ),
    "search trends": (
        "Category: All\n\nMonth,skiing: (World)\n2004-01,51\n2004-02,<1\n2004-03,3\n".replace("<1", "0"),
        {"skiing: (World)": [51, 3]},
        "begins on line 3",
    ),
    "statistics office": (
        "Verbraucherpreisindex\nDeutschland\n;;\nJahr;Monat;Index\n2019;Januar;100,3\n2019;Februar;...\n2019;März;101,1\n"
        "__________\n(C)opyright Statistisches Amt, 2020\n",
        {"Index": [100.3, 101.1], "Jahr": [2019, 2019]},
        "Lines 8 to 9 at the end",
    ),
    "bike counters, French": (
        "Date;Compteur A;Compteur B\n01/01/2020;1 234;56\n02/01/2020;12 345;78\n03/01/2020;987;\n",
        {"Compteur A": [1234, 987], "Compteur B": [56, NAN]},
        "spaces or apostrophes split thousands",
    ),
    "accounts, Swiss": (
        "Datum;Betrag\n2020-01-01;CHF 1'234.50\n2020-01-02;CHF 987.00\n",
        {"Betrag": [1234.5, 987]},
        "currency signs are left out",
    ),
    "sales, American": (
        'date,sales,promo\n1/1/2020,"$1,234.50",Yes\n1/2/2020,"($12.00)",No\n1/13/2020,$5.00,No\nTotal,"$1,227.50",\n',
        {"sales": [1234.5, 5], "promo": [1, 0]},
        "brackets mean a minus",
    ),
    "table of R": (
        '"date" "x"\n"1" "2020-01-01" 5\n"2" "2020-01-02" 6\n'.replace('"', "").replace(" ", ","),
        {"x": [5, 6]},
        "no name for",
    ),
    "table of pandas": (",date,x\n0,2020-01-01,5\n1,2020-01-02,6\n2,2020-01-03,7\n", {"x": [5, 7]}, ""),
    "sensor log": (
        "".join(f"2020-01-01T00:00:{s:02}Z|{20 + s / 10:.1f}|ok\n" for s in range(60)),
        {"column_2": [20, 25.9]},
        "has no header",
    ),
    "loggers of a lab": (
        "time   flow   state\n" + "".join(f"00:0{m}   {m}.25   {'on' if m % 2 else 'off'}\n" for m in range(9)),
        {"flow": [0.25, 8.25]},
        "separated by",
    ),
    "web service": (
        json.dumps(
            {
                "latitude": 52.5,
                "hourly_units": {"time": "iso8601"},
                "hourly": {"time": ["2020-01-01T00:00", "2020-01-01T01:00"], "temperature": [1.5, None]},
            }
        ),
        {"temperature": [1.5, NAN]},
        "under 'hourly'",
    ),
    "events": (
        "\n".join(json.dumps({"at": 1577836800 + s, "value": s / 2, "ok": True}) for s in range(5)),
        {"value": [0, 2]},
        "",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_made_like(tmp_path: Path, kind: str) -> None:
    text, columns, sentence = FILES[kind]
    path = tmp_path / "data.txt"
    path.write_text(text)
    table = read_table(path)
    for name, ends in columns.items():
        np.testing.assert_array_equal(table.numbers(name)[[0, -1]], ends)
    said = " ".join(decision.text for decision in table.decisions)
    assert sentence in said
    assert all(decision.text.endswith((".", ")")) and "\n" not in decision.text for decision in table.decisions)
