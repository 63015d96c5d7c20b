#!/usr/bin/env python3
"""Prints the golden rows as SheetJS cell objects, for make_sheetjs.js."""
import datetime
import json

from plant_rows import HIDDEN, SHEETS, Blank, Bool, Date, Formula, Number, Padded


def cell_object(cell):
    if isinstance(cell, Blank):
        return None
    if isinstance(cell, Number):
        return {"t": "n", "v": cell.value}
    if isinstance(cell, Bool):
        return {"t": "b", "v": cell.value}
    if isinstance(cell, Date):
        return {"t": "n", "v": (cell.value - datetime.date(1899, 12, 30)).days, "z": "yyyy-mm-dd"}
    if isinstance(cell, Padded):
        return {"t": "n", "v": cell.value, "z": "0" * cell.digits}
    if isinstance(cell, Formula):
        return {"t": "s" if isinstance(cell.result, str) else "n", "v": cell.result, "f": cell.formula[1:]}
    return {"t": "s", "v": cell.value}


print(json.dumps([{"name": name, "hidden": name in HIDDEN, "rows": [[cell_object(cell) for cell in row] for row in rows]}
                  for name, rows in SHEETS]))
