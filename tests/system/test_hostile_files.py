"""Files that mean harm: a clear error, bounded memory and time, nothing changed, the supervisor unharmed."""

import io
import os
import zipfile

import pytest
from harness import alive

CONTENT_TYPES = """<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>
</Types>"""
RELS = """<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"""
BOOK = """<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"
 xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="points" sheetId="1" r:id="r1"/></sheets></workbook>"""
BOOK_RELS = """<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"""
HEAD = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
TAIL = "</sheetData></worksheet>"


def xlsx(sheet_parts, doctype=""):
    """A workbook whose one sheet is the concatenation of `sheet_parts` (an iterable of str)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        archive.writestr("_rels/.rels", RELS)
        archive.writestr("xl/workbook.xml", BOOK)
        archive.writestr("xl/_rels/workbook.xml.rels", BOOK_RELS)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(('<?xml version="1.0"?>' + doctype).encode())
            for part in sheet_parts:
                sheet.write(part.encode())
    return out.getvalue()


def zip_bomb():
    return xlsx([HEAD, '<row r="1"><c t="inlineStr"><is><t>', *(["A" * (1 << 20)] * 2048), "</t></is></c></row>", TAIL])


def million_columns():
    return xlsx([HEAD, '<row r="1">', *(['<c t="inlineStr"><is><t>x</t></is></c>'] * 1_000_000), "</row>", TAIL])


def entity_expansion():
    doctype = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(9)) + "]>"
    return xlsx([HEAD, '<row r="1"><c t="inlineStr"><is><t>&j;</t></is></c></row>', TAIL], doctype)


def huge_row_number():
    return xlsx([HEAD, '<row r="4294967295"><c r="ZZZZ4294967295"><v>1</v></c></row>', TAIL])


def truncated():
    return xlsx([HEAD, '<row r="1"><c r="A1"><v>1</v></c></row>', TAIL])[:-40]


FILES = {
    "bomb.xlsx": zip_bomb,
    "columns.xlsx": million_columns,
    "entities.xlsx": entity_expansion,
    "rows.xlsx": huge_row_number,
    "truncated.xlsx": truncated,
    "text.xlsx": lambda: b"this is no workbook at all\n" * 10,
    "empty.xlsx": lambda: b"",
    "picture.xls": lambda: b"\x89PNG\r\n\x1a\n" + os.urandom(4096),
    "binary.csv": lambda: os.urandom(100_000),
    "locked.xlsx": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4096,
}


def memory_mb(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0


@pytest.mark.parametrize("name", FILES)
def test_refused_clearly(supervisor, name):
    before = supervisor.get("/sites")["total"]
    answer = supervisor.http.post(f"{supervisor.base}/api/v1/import-jobs", files={"file": (name, FILES[name]())},
                                  data={"mode": "merge"}, timeout=60)
    assert answer.status_code in (201, 400, 413, 422), answer.text
    body = answer.json()
    if answer.status_code == 201:
        assert body["status"] == "invalid" and body["errors"] and body["errors"][0]["message"]
    else:
        assert body["detail"]
    assert alive(supervisor.pid) and memory_mb(supervisor.pid) < 400
    assert supervisor.get("/sites")["total"] == before


def test_200_megabytes_are_refused(supervisor):
    def body():
        yield (b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.xlsx"\r\n\r\n')
        for _ in range(210):
            yield b"x" * (1 << 20)
        yield b"\r\n--b--\r\n"

    try:
        answer = supervisor.http.post(f"{supervisor.base}/api/v1/import-jobs", data=body(), timeout=60,
                                      headers={"Content-Type": "multipart/form-data; boundary=b"})
        assert answer.status_code == 413, answer.text
    except Exception as error:  # the server may close while the rest is being sent
        assert "Connection" in type(error).__name__ or "reset" in str(error) or "Broken pipe" in str(error), error
    assert alive(supervisor.pid) and memory_mb(supervisor.pid) < 300
    assert supervisor.get("/sites")["total"] == 0
