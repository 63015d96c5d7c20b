"""The rows that every writer of the golden workbooks writes. Kinds of cells are what is tested, so they are explicit:

Text("…") a text, Number(…), Date(…), Bool(…), Formula("…", result), Padded(7, 4) a number shown as 0007, Blank().
"""
import datetime
from collections import namedtuple

Text = namedtuple("Text", "value")
Number = namedtuple("Number", "value")
Bool = namedtuple("Bool", "value")
Date = namedtuple("Date", "value")
Formula = namedtuple("Formula", "formula result")
Padded = namedtuple("Padded", "value digits")
Blank = namedtuple("Blank", "")

SHEETS = [
    ("sites", [
        [Text("site_code*"), Text("site_name*"), Text("description")],
        [Number(1001), Text("Plant one"), Text("  blanks around  ")],
        [Text("1002.0"), Text("二厂"), Text("line one\nline two")],
        [Padded(7, 4), Text("<&>\"' ]]>"), Blank()],
        [Text("FORM"), Formula('="A"&"B"', "AB"), Blank()],
    ]),
    ("设备类型", [
        [Text("类型编码"), Text("类型名称"), Text("超级表名")],
        [Text("METER"), Text("电表"), Text("meter")],
    ]),
    ("Devices", [
        [Text("Device Code *"), Text("device_name\n设备名称"), Text("site_code"), Text("protocol"), Text("address"),
         Text("type_code"), Text("install_date"), Text("production date"), Text("is_locked"), Text("options"),
         Text("# internal note")],
        [Text("M1"), Text("Meter 1"), Text("1001"), Text("Modbus TCP"), Text("10.0.0.1:502"), Text("METER"),
         Date(datetime.date(2024, 2, 29)), Text("2023年12月1日"), Bool(True), Text("unit_id=3； timeout_ms＝500"),
         Text("not read")],
        [],
        [Text("M2"), Text("Meter 2"), Number(1002.0), Text("modbus_tcp"), Text("１０．０．０．２：５０２"), Blank(),
         Text("2024/3/1"), Date(datetime.date(1999, 12, 31)), Text("否"), Text('{"unit_id": 4}'), Blank()],
    ]),
    ("测点", [
        [Text("测点编码"), Text("point_name"), Text("device_code"), Text("address"), Text("data_type"), Text("byte_order"),
         Text("scale"), Text("offset"), Text("unit"), Text("min_value"), Text("max_value"), Text("period_ms")],
        [Text("P1"), Text("电压"), Text("M1"), Number(40001), Text("FLOAT32"), Text("cdab"), Number(0.1), Number(-40),
         Text("V"), Text("０"), Number(1e6), Number(1000)],
        [Text("P2"), Blank(), Text("M1"), Text("hr:2"), Text("string(16)"), Blank(), Formula("=1/3", 1 / 3), Blank(),
         Blank(), Blank(), Blank(), Text("500")],
        [Text("P3"), Blank(), Text("M2"), Number(400011.3), Text("bool"), Blank(), Blank(), Blank(), Blank(), Blank(),
         Blank(), Blank()],
    ]),
    ("采集任务", [
        [Text("任务编码"), Text("任务名称"), Text("设备"), Text("测点"), Text("采集周期"), Text("自动启动"), Text("计划"), Text("运行限制"),
         Text("选项")],
        [Text("T1"), Text("任务一"), Text("M1，M2"), Blank(), Number(1000), Number(1),
         Text("start=0 8 * * 1-5; stop=0 18 * * 1-5"), Text("cycles=10"), Blank()],
    ]),
    # Never read: the sheet is hidden, or no kind has its name.
    ("points", [[Text("nonsense")], [Text("hidden")]]),
    ("说明 Help", [[Text("free text")]]),
]
HIDDEN = {"points"}
