#!/usr/bin/env python3
"""Writes the golden rows with every spreadsheet library Debian has. Usage: make_workbooks.py FOLDER

All files hold the same plant, so all must read as tests/golden/workbooks/plant.txt says.
"""
import csv
import datetime
import io
import os
import sys
import zipfile

import openpyxl
import openpyxl.cell.cell
import openpyxl.utils.datetime
import xlsxwriter
import xlwt

from plant_rows import HIDDEN, SHEETS, Blank, Bool, Date, Formula, Number, Padded, Text


def noon(day):
    return datetime.datetime(day.year, day.month, day.day)


def with_openpyxl(path, epoch_1904=False):
    book = openpyxl.Workbook()
    book.remove(book.active)
    if epoch_1904:
        book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    for name, rows in SHEETS:
        sheet = book.create_sheet(name)
        for r, row in enumerate(rows, 1):
            for c, cell in enumerate(row, 1):
                if isinstance(cell, Blank):
                    continue
                target = sheet.cell(r, c)
                if isinstance(cell, Formula):
                    target.value = cell.result  # openpyxl stores no result beside a formula
                elif isinstance(cell, Padded):
                    target.value = cell.value
                    target.number_format = "0" * cell.digits
                elif isinstance(cell, Date):
                    target.value = cell.value
                    target.number_format = 'yyyy"年"m"月"d"日"'
                else:
                    target.value = cell.value
        if name in HIDDEN:
            sheet.sheet_state = "hidden"
    book.save(path)


def with_xlsxwriter(path, **options):
    book = xlsxwriter.Workbook(path, options)
    date = book.add_format({"num_format": "[$-409]d-mmm-yy;@"})
    bold = book.add_format({"bold": True})
    for name, rows in SHEETS:
        sheet = book.add_worksheet(name)
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                if isinstance(cell, Text) and r > 0 and len(cell.value) > 3 and "in_memory" in options:
                    # Two runs with formats of their own: one text.
                    sheet.write_rich_string(r, c, cell.value[:1], bold, cell.value[1:])
                elif isinstance(cell, Text):
                    sheet.write_string(r, c, cell.value)
                elif isinstance(cell, Number):
                    sheet.write_number(r, c, cell.value)
                elif isinstance(cell, Bool):
                    sheet.write_boolean(r, c, cell.value)
                elif isinstance(cell, Date):
                    sheet.write_datetime(r, c, noon(cell.value), date)
                elif isinstance(cell, Formula):
                    sheet.write_formula(r, c, cell.formula, None, cell.result)
                elif isinstance(cell, Padded):
                    sheet.write_number(r, c, cell.value, book.add_format({"num_format": "0" * cell.digits}))
        if name in HIDDEN:
            sheet.hide()
    book.close()


def with_xlwt(path):
    book = xlwt.Workbook(encoding="utf-8")
    date = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for name, rows in SHEETS:
        sheet = book.add_sheet(name)
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                if isinstance(cell, Blank):
                    continue
                if isinstance(cell, Date):
                    sheet.write(r, c, noon(cell.value), date)
                elif isinstance(cell, Padded):
                    sheet.write(r, c, cell.value, xlwt.easyxf(num_format_str="0" * cell.digits))
                elif isinstance(cell, Formula):
                    sheet.write(r, c, cell.result)  # xlwt stores no result beside a formula
                else:
                    sheet.write(r, c, cell.value)
        if name in HIDDEN:
            sheet.visibility = 1
    book.save(path)


def csv_text(rows, separator):
    def typed(cell):
        if isinstance(cell, Padded):
            return str(cell.value).zfill(cell.digits)
        if isinstance(cell, Formula):
            return repr(cell.result) if isinstance(cell.result, float) else cell.result
        if isinstance(cell, Date):
            return cell.value.isoformat()
        if isinstance(cell, Bool):
            return "TRUE" if cell.value else "FALSE"
        if isinstance(cell, Blank):
            return ""
        return str(cell.value)

    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\r\n")
    for row in rows:
        writer.writerow([typed(cell) for cell in row])
    return text.getvalue()


def with_csv(path, encoding, separator, name_encoding):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in SHEETS:
            if name in HIDDEN:
                continue
            info = zipfile.ZipInfo("plant/" + name + ".csv")
            if name_encoding != "utf-8":
                # As Explorer on a Chinese Windows names them: bytes of the code page, no flag.
                info = RawName("plant/" + name + ".csv", name_encoding)
            archive.writestr(info, csv_text(rows, separator).encode(encoding))


class RawName(zipfile.ZipInfo):
    def __init__(self, name, encoding):
        super().__init__(name)
        self.raw = name.encode(encoding)

    def _encodeFilenameFlags(self):
        return self.raw, self.flag_bits & ~0x800


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    with_openpyxl(os.path.join(folder, "openpyxl.xlsx"))
    with_openpyxl(os.path.join(folder, "openpyxl_1904.xlsx"), epoch_1904=True)
    with_xlsxwriter(os.path.join(folder, "xlsxwriter.xlsx"))
    with_xlsxwriter(os.path.join(folder, "xlsxwriter_1904.xlsx"), date_1904=True)
    with_xlsxwriter(os.path.join(folder, "xlsxwriter_inline.xlsx"), constant_memory=True)
    with_xlsxwriter(os.path.join(folder, "xlsxwriter_rich.xlsx"), in_memory=True)
    with_xlwt(os.path.join(folder, "xlwt.xls"))
    with_csv(os.path.join(folder, "utf8.zip"), "utf-8-sig", ",", "utf-8")
    with_csv(os.path.join(folder, "semicolon.zip"), "utf-8", ";", "utf-8")
    with_csv(os.path.join(folder, "gb18030.zip"), "gb18030", "\t", "gb18030")
    with_csv(os.path.join(folder, "utf16.zip"), "utf-16", "\t", "utf-8")


if __name__ == "__main__":
    main()
