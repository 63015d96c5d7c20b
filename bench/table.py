#!/usr/bin/env python3
"""Turns bench/results/*.json into the table of the README. Usage: bench/table.py [--write README.md]"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
MARK, END = "<!-- bench table -->", "<!-- end of bench table -->"


def cell(value):
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def table():
    lines = ["| measured | ours | beside it | ratio | target | met |", "| --- | --- | --- | --- | --- | --- |"]
    for path in sorted((HERE / "results").glob("*.json")):
        for figure in json.loads(path.read_text())["figures"]:
            beside = "–" if figure.get("reference") is None else f"{cell(figure['reference'])} ({figure['reference_name']})"
            met = {True: "yes", False: "**no**", None: "–"}[figure.get("met")]
            lines.append(f"| {figure['name']} | {cell(figure['ours'])} {figure['unit']} | {beside} | {cell(figure.get('ratio'))} "
                         f"| {figure.get('target') or '–'} | {met} |")
    lines += ["", "Medians of one run on two shared cores; reproduce with `bench/run` (or `bench/run NAME`). Raw figures: `bench/results/`."]
    return "\n".join(lines)


def main():
    if sys.argv[1:2] == ["--write"]:
        path = pathlib.Path(sys.argv[2])
        text = path.read_text()
        head, rest = text.split(MARK, 1)
        tail = rest.split(END, 1)[1] if END in rest else rest
        path.write_text(f"{head}{MARK}\n{table()}\n{END}{tail}")
    else:
        print(table())


if __name__ == "__main__":
    main()
