#!/usr/bin/env python3
"""Writes plant.xlsx, the sample plant of the demo: 3 sites, 16 Modbus TCP devices, their points and 6 tasks.

The simulator listens on 127.0.0.1 with one port per address below, FIRST_PORT and up. Registers are chosen by what the
simulator holds there, so that every point shows a value its machine could have.

Usage: make_plant.py [FILE]    (default: plant.xlsx beside this script)
"""
import datetime
import os
import sys

import openpyxl
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

HOST = "127.0.0.1"
FIRST_PORT = 15020

COLUMNS = {
    "sites": ["site_code*\n站点编码", "site_name*\n站点名称", "description\n描述"],
    "device_types": ["type_code*\n类型编码", "type_name*\n类型名称", "stable_name\n超级表名",
                     "status_point\n状态测点", "state_map\n状态映射", "description\n描述"],
    "devices": [
        "device_code*\n设备编码", "device_name*\n设备名称", "site_code*\n站点编码", "protocol*\n协议", "address*\n地址",
        "type_code\n类型编码", "device_model\n设备型号", "manufacturer\n制造商", "install_date\n安装日期",
        "install_location\n安装位置", "team_name\n班组", "options\n选项", "description\n描述",
    ],
    "points": [
        "point_code*\n测点编码", "point_name\n测点名称", "device_code*\n设备编码", "address*\n地址", "data_type*\n数据类型",
        "byte_order\n字节序", "scale\n比例", "offset\n偏移", "unit\n单位", "deadband\n死区", "min_value\n最小值",
        "max_value\n最大值", "period_ms\n采集周期", "description\n描述",
    ],
    "tasks": [
        "task_code*\n任务编码", "task_name*\n任务名称", "devices\n设备", "points\n测点", "period_ms*\n采集周期", "sinks\n存储",
        "group\n分组", "autostart\n自动启动", "schedule\n计划", "run_limit\n运行限制", "options\n选项",
    ],
}
SHEETS = {"sites": "sites 站点", "device_types": "device_types 设备类型", "devices": "devices 设备",
          "points": "points 测点", "tasks": "tasks 采集任务"}

SITES = [
    ("WELD_SHOP", "Welding shop 焊装车间", "Body line 1 and 2"),
    ("ENERGY_CENTER", "Energy centre 动力中心", "Power, compressed air and heat"),
    ("WATER_WORKS", "Water works 水处理站", "Intake, pumps and treatment"),
]

TYPES = [
    ("WELDER", "Welding robot 焊接机器人", "welder", "STATUS_AUTO", "automatic=true; manual=false", "Spot welding robot with weld controller"),
    ("POWER_METER", "Power meter 智能电表", "power_meter", "", "", "Three-phase meter with harmonics"),
    ("COMPRESSOR", "Air compressor 空压机", "compressor", "DI_RUNNING", "running=true; stopped=false", "Screw compressor"),
    ("PUMP_STATION", "Pump station 泵站", "pump_station", "", "", "Pump group with level control"),
    ("BOILER", "Boiler 锅炉", "boiler", "", "", "Gas-fired steam boiler"),
]


# What the simulator holds (`fieldwarden simulate --help`): per kind of value the first register, the step from one value
# to the next, and the raw range of each signal in turn. FIXED stays put: for setpoints.
SIGNALS = {
    "float32": (2, 2, [(0, 100), (205, 235), None, (1, 2), (20, 80)]),
    "uint16": (30000, 1, [(100, 900), (0, 4095), (1200, 2800), None, None]),
    "uint32": (50000, 2, [None]),
    "float64": (61000, 4, [(990, 1010)]),
    "bcd32": (62000, 2, [None]),
    "string(16)": (60000, 8, [None]),
}
FIXED = 2          # the float32 signal that is 20 + unit id
STATUS_WORD = 3    # the uint16 signal whose bits toggle


class Points:
    """Collects the points of one device. Addresses never overlap: each kind of value has registers of its own, and each
    area hands them out in turn. Scale and offset turn the simulator's raw range into what the machine would show."""

    def __init__(self, device, unit):
        self.device = device
        self.unit = unit
        self.rows = []
        self.used = {}
        self.next = {"co": 0, "di": 0}
        # The simulator's counter pair: two missing or equal values in a row would show lost or repeated reads.
        self.add("COUNT", "Read counter 读取计数", "hr:0", "uint32", order="ABCD", note="rises with every read")

    def add(self, code, name, address, data_type, order="", scale="", offset="", unit="", deadband="", low="", high="",
            period="", note=""):
        self.rows.append([f"{self.device}_{code}", name, self.device, address, data_type, order, scale, offset, unit,
                          deadband, low, high, period, note])

    def take(self, area, data_type, wanted):
        """The next free register of a kind whose signal `wanted(number)` accepts; returns its offset and raw range."""
        first, step, signals = SIGNALS[data_type]
        taken = self.used.setdefault((area, data_type), set())
        assert any(wanted(number) for number in range(len(signals))), f"{self.device}: no {data_type} signal fits"
        position = 0
        while position in taken or not wanted(position % len(signals)):
            position += 1
        taken.add(position)
        return first + position * step, signals[position % len(signals)]

    def register(self, area, code, name, data_type, typical=None, low="", high="", order="", scale="", offset="", **more):
        """`typical` is what the point usually shows; without it, the middle of low to high."""
        kind = {"int16": "uint16", "int32": "uint32", "uint64": "uint32"}.get(data_type, data_type)
        signals = SIGNALS[kind][2]
        if isinstance(typical, (int, float)):
            address, _ = self.take(area, "float32", lambda number: number == FIXED)
            self.add(code, name, f"{area}:{address}", "float32", "ABCD", "", round(typical - 20 - self.unit, 6), low=low,
                     high=high, **more)
            return
        if typical is None and low != "":
            typical = (low + 0.35 * (high - low), low + 0.65 * (high - low))
        address, raw = self.take(area, kind, lambda number: typical is None or signals[number] is not None)
        if typical is not None:
            scale = float(f"{(typical[1] - typical[0]) / (raw[1] - raw[0]):.3g}")
            offset = float(f"{typical[0] - raw[0] * scale:.4g}")
            assert low == "" or low <= raw[0] * scale + offset and raw[1] * scale + offset <= high, code
        data_type = {"uint64": "uint32", "int32": "uint32"}.get(data_type, data_type)
        self.add(code, name, f"{area}:{address}", data_type, "ABCD" if kind in ("float32", "float64") else "", scale, offset,
                 low=low, high=high, **more)

    def status_bits(self, entries):
        address, _ = self.take("hr", "uint16", lambda number: number == STATUS_WORD)
        for bit, (code, name) in enumerate(entries):
            self.add(code, name, f"hr:{address}.{bit}", "bool")

    def bits(self, area, entries):
        for code, name in entries:
            self.add(code, name, f"{area}:{self.next[area]}", "bool")
            self.next[area] += 1


def welder(points):
    points.register("hr", "PROGRAM", "Active program 当前程序号", "uint16", low=0, high=5000, typical=(0, 4095))
    points.register("hr", "MODEL", "Model 型号", "string(16)")
    points.status_bits([("STATUS_AUTO", "Automatic mode 自动模式"), ("STATUS_FAULT", "Fault 故障"),
                        ("STATUS_HOME", "Home position 原点位置")])
    points.status_bits([("ALARM_TIP_STUCK", "Tip stuck 电极粘连"), ("ALARM_NO_CURRENT", "No current 无电流"),
                        ("ALARM_LOW_FORCE", "Force low 压力低"), ("ALARM_LOW_WATER", "Cooling low 冷却水低"),
                        ("ALARM_TIP_LIFE", "Tip life over 电极寿命到"), ("ALARM_GUN_OPEN", "Gun not open 焊钳未开")])
    points.register("ir", "CURRENT", "Weld current 焊接电流", "float32", unit="kA", deadband=0.05, low=0, high=25, typical=(9, 11))
    points.register("ir", "VOLTAGE", "Weld voltage 焊接电压", "float32", unit="V", deadband=0.02, low=0, high=20, typical=(1.1, 1.5))
    points.register("ir", "FORCE", "Electrode force 电极压力", "float32", unit="kN", deadband=0.05, low=0, high=8, typical=(3.2, 3.6))
    points.register("ir", "RESISTANCE", "Dynamic resistance 动态电阻", "float32", unit="µΩ")
    points.register("ir", "WELD_TIME", "Weld time 焊接时间", "uint16", unit="ms", low=0, high=2000)
    points.register("ir", "CYCLE_TIME", "Cycle time 节拍", "uint16", unit="s", low=0, high=600)
    points.register("ir", "SPOTS", "Spots welded 焊点数", "uint32")
    points.register("ir", "PARTS_OK", "Good parts 合格件数", "uint32")
    points.register("ir", "PARTS_NG", "Rejected parts 不合格件数", "uint32")
    points.register("ir", "TIP_WEAR", "Tip wear 电极磨损", "uint16", unit="mm", low=0, high=12)
    points.register("ir", "WATER_TEMP", "Cooling water 冷却水温", "int16", unit="°C", deadband=0.2, low=-10, high=90, typical=(18, 24))
    points.register("ir", "WATER_FLOW", "Cooling flow 冷却水流量", "uint16", unit="L/min", low=0, high=60, typical=(9, 11))
    points.register("ir", "AIR_PRESSURE", "Air pressure 气压", "uint16", unit="bar", low=0, high=12, typical=(6.1, 6.5))
    for axis in range(1, 7):
        points.register("ir", f"AXIS{axis}_POS", f"Axis {axis} position 轴{axis}位置", "float32", unit="°", low=-360, high=360)
        points.register("ir", f"AXIS{axis}_TEMP", f"Axis {axis} motor 轴{axis}电机温度", "int16", unit="°C", low=-10, high=150)
        points.register("ir", f"AXIS{axis}_LOAD", f"Axis {axis} load 轴{axis}负载", "uint16", unit="%", low=0, high=300)
    points.bits("di", [("DI_GUARD", "Guard closed 安全门关闭"), ("DI_ESTOP", "Emergency stop 急停"),
                       ("DI_PART", "Part present 工件到位"), ("DI_CLAMP", "Clamp closed 夹具夹紧")])
    points.bits("co", [("CO_START", "Start 启动"), ("CO_RESET", "Reset 复位"), ("CO_TIP_DRESS", "Tip dress 电极修磨")])


def power_meter(points):
    for phase, name in (("A", "A 相"), ("B", "B 相"), ("C", "C 相")):
        points.register("ir", f"U{phase}", f"Voltage {phase} {name}电压", "float32", unit="V", deadband=0.5, low=0, high=500, typical=(226, 234))
        points.register("ir", f"I{phase}", f"Current {phase} {name}电流", "float32", unit="A", deadband=0.1, low=0, high=3000, typical=(180, 420))
        points.register("ir", f"P{phase}", f"Active power {phase} {name}有功功率", "float32", unit="kW", low=-2000, high=2000, typical=(40, 90))
        points.register("ir", f"Q{phase}", f"Reactive power {phase} {name}无功功率", "float32", unit="kvar", low=-2000, high=2000, typical=(8, 20))
        points.register("ir", f"THDU{phase}", f"THD voltage {phase} {name}电压谐波", "uint16", unit="%", low=0, high=100, typical=(1.5, 2.5))
        points.register("ir", f"THDI{phase}", f"THD current {phase} {name}电流谐波", "uint16", unit="%", low=0, high=100, typical=(6, 12))
        for order in (3, 5, 7):
            points.register("ir", f"I{phase}_H{order}", f"Harmonic {order} current {phase} {name}电流 {order} 次谐波", "uint16", unit="%", low=0, high=100, typical=(1, 5))
    for line, name in (("AB", "AB 线"), ("BC", "BC 线"), ("CA", "CA 线")):
        points.register("ir", f"U{line}", f"Voltage {line} {name}电压", "float32", unit="V", deadband=0.5, low=0, high=800, typical=(392, 406))
    points.register("ir", "P", "Active power 总有功功率", "float32", unit="kW", deadband=0.5, typical=(120, 270))
    points.register("ir", "Q", "Reactive power 总无功功率", "float32", unit="kvar", typical=(25, 60))
    points.register("ir", "S", "Apparent power 视在功率", "float32", unit="kVA", typical=(125, 280))
    points.register("ir", "PF", "Power factor 功率因数", "int16", low=-1, high=1, typical=(0.9, 0.97))
    points.register("ir", "FREQ", "Frequency 频率", "uint16", unit="Hz", low=45, high=65, typical=(49.95, 50.05))
    points.register("ir", "EP_IMP", "Energy import 正向有功电能", "uint64", scale=0.01, unit="kWh", period=10000)
    points.register("ir", "EP_EXP", "Energy export 反向有功电能", "uint64", scale=0.01, unit="kWh", period=10000)
    points.register("ir", "DEMAND", "Demand 需量", "float32", unit="kW", period=10000, typical=(180, 220))
    points.register("hr", "CT_RATIO", "CT ratio 电流互感器变比", "uint16", low=1, high=5000, period=60000, typical=400)
    points.register("hr", "PT_RATIO", "PT ratio 电压互感器变比", "uint16", low=1, high=5000, period=60000, typical=1)
    points.register("hr", "SERIAL", "Serial number 序列号", "bcd32", period=60000)
    points.bits("di", [("DI_BREAKER", "Breaker closed 断路器合闸"), ("DI_ALARM", "Alarm 报警")])


def compressor(points):
    points.register("hr", "SET_PRESSURE", "Pressure setpoint 压力设定", "uint16", unit="bar", low=4, high=13, typical=7)
    points.register("hr", "SET_BAND", "Pressure band 压力带宽", "uint16", unit="bar", low=0, high=3, typical=0.4)
    points.register("ir", "PRESSURE", "Outlet pressure 排气压力", "float32", unit="bar", deadband=0.02, low=0, high=16, typical=(6.7, 7.2))
    points.register("ir", "INLET_TEMP", "Inlet 进气温度", "int16", unit="°C", low=-30, high=60, typical=(14, 26))
    points.register("ir", "OIL_TEMP", "Oil 油温", "int16", unit="°C", deadband=0.5, low=-10, high=120, typical=(68, 78))
    points.register("ir", "OUTLET_TEMP", "Outlet 排气温度", "int16", unit="°C", deadband=0.5, low=-10, high=150, typical=(75, 88))
    points.register("ir", "DEW_POINT", "Dew point 露点", "int16", unit="°C", low=-80, high=30, typical=(2, 5))
    points.register("ir", "FLOW", "Volume flow 流量", "float32", unit="m³/min", low=0, high=60)
    points.register("ir", "SPEED", "Motor speed 电机转速", "uint16", unit="rpm", low=0, high=6000, typical=(2700, 3000))
    points.register("ir", "POWER", "Motor power 电机功率", "float32", unit="kW", low=0, high=400, typical=(70, 92))
    points.register("ir", "VIB_DE", "Vibration drive end 驱动端振动", "uint16", unit="mm/s", low=0, high=50, typical=(1.2, 2.4))
    points.register("ir", "VIB_NDE", "Vibration free end 非驱动端振动", "uint16", unit="mm/s", low=0, high=50, typical=(1.0, 2.2))
    points.register("ir", "RUN_HOURS", "Running hours 运行小时", "uint32", unit="h", period=10000)
    points.register("ir", "LOAD_HOURS", "Load hours 加载小时", "uint32", unit="h", period=10000)
    points.register("ir", "STARTS", "Starts 启动次数", "uint32", period=10000)
    for stage in (1, 2):
        points.register("ir", f"STAGE{stage}_TEMP", f"Stage {stage} temperature {stage} 级温度", "int16", unit="°C", low=-10, high=200)
        points.register("ir", f"STAGE{stage}_PRESSURE", f"Stage {stage} pressure {stage} 级压力", "uint16", unit="bar", low=0, high=20)
    points.bits("di", [("DI_RUNNING", "Running 运行"), ("DI_LOADED", "Loaded 加载"), ("DI_WARNING", "Warning 预警"),
                       ("DI_TRIP", "Trip 跳闸"), ("DI_SERVICE", "Service due 需保养")])
    points.bits("co", [("CO_START", "Start 启动"), ("CO_STOP", "Stop 停止"), ("CO_ACK", "Acknowledge 确认")])


def pump_station(points):
    points.register("hr", "SET_LEVEL", "Level setpoint 液位设定", "float32", unit="m", low=0, high=10, typical=4.5)
    points.register("hr", "SET_PRESSURE", "Pressure setpoint 压力设定", "float32", unit="bar", low=0, high=16, typical=7)
    points.register("ir", "LEVEL", "Basin level 水池液位", "float32", unit="m", deadband=0.01, low=0, high=10, typical=(4.1, 4.9))
    points.register("ir", "FLOW_IN", "Inflow 进水流量", "float32", unit="m³/h", low=0, high=2000)
    points.register("ir", "FLOW_OUT", "Outflow 出水流量", "float32", unit="m³/h", low=0, high=2000)
    points.register("ir", "VOLUME", "Total volume 累计水量", "float64", unit="m³", period=5000, typical=(120000, 120400))
    points.register("ir", "TURBIDITY", "Turbidity 浊度", "uint16", unit="NTU", low=0, high=100, typical=(0.5, 2))
    points.register("ir", "PH", "pH 值", "uint16", low=0, high=14, typical=(6.9, 7.4))
    points.register("ir", "CHLORINE", "Chlorine 余氯", "uint16", unit="mg/L", low=0, high=5, typical=(0.4, 0.7))
    points.register("ir", "CONDUCTIVITY", "Conductivity 电导率", "uint16", unit="µS/cm", low=0, high=5000)
    points.register("ir", "WATER_TEMP", "Water temperature 水温", "int16", unit="°C", low=-5, high=60, typical=(18, 24))
    for pump in range(1, 5):
        points.register("ir", f"P{pump}_CURRENT", f"Pump {pump} current {pump}号泵电流", "uint16", unit="A", low=0, high=400)
        points.register("ir", f"P{pump}_SPEED", f"Pump {pump} speed {pump}号泵转速", "uint16", unit="rpm", low=0, high=3600)
        points.register("ir", f"P{pump}_PRESSURE", f"Pump {pump} pressure {pump}号泵压力", "uint16", unit="bar", low=0, high=16)
        points.register("ir", f"P{pump}_BEARING", f"Pump {pump} bearing {pump}号泵轴承温度", "int16", unit="°C", low=-10, high=150, typical=(45, 60))
        points.register("ir", f"P{pump}_HOURS", f"Pump {pump} hours {pump}号泵运行小时", "uint32", unit="h", period=10000)
        points.bits("di", [(f"P{pump}_RUN", f"Pump {pump} running {pump}号泵运行"),
                           (f"P{pump}_FAULT", f"Pump {pump} fault {pump}号泵故障")])
        points.bits("co", [(f"P{pump}_START", f"Pump {pump} start {pump}号泵启动")])
    points.bits("di", [("DI_LEVEL_LOW", "Level low 液位低"), ("DI_LEVEL_HIGH", "Level high 液位高")])


def boiler(points):
    points.register("hr", "SET_PRESSURE", "Steam setpoint 蒸汽压力设定", "float32", unit="MPa", low=0, high=2.5, typical=7)
    points.register("hr", "SET_O2", "O2 setpoint 含氧量设定", "uint16", unit="%", low=0, high=21, typical=3.5)
    points.register("ir", "STEAM_PRESSURE", "Steam pressure 蒸汽压力", "float32", unit="MPa", deadband=0.005, low=0, high=2.5, typical=(0.9, 1.05))
    points.register("ir", "STEAM_TEMP", "Steam temperature 蒸汽温度", "float32", unit="°C", deadband=0.5, low=0, high=400, typical=(178, 184))
    points.register("ir", "STEAM_FLOW", "Steam flow 蒸汽流量", "float32", unit="t/h", low=0, high=50)
    points.register("ir", "FEED_TEMP", "Feed water 给水温度", "int16", unit="°C", low=0, high=200, typical=(98, 106))
    points.register("ir", "FEED_FLOW", "Feed water flow 给水流量", "float32", unit="t/h", low=0, high=60)
    points.register("ir", "DRUM_LEVEL", "Drum level 汽包水位", "int16", unit="mm", low=-300, high=300, typical=(-20, 20))
    points.register("ir", "GAS_FLOW", "Gas flow 燃气流量", "float32", unit="Nm³/h", low=0, high=5000)
    points.register("ir", "GAS_TOTAL", "Gas total 燃气累计", "uint64", scale=0.01, unit="Nm³", period=10000)
    points.register("ir", "FLUE_TEMP", "Flue gas 排烟温度", "int16", unit="°C", low=0, high=400, typical=(120, 140))
    points.register("ir", "FLUE_O2", "Flue gas O2 烟气含氧量", "uint16", unit="%", low=0, high=21, typical=(3, 4))
    points.register("ir", "FLUE_NOX", "Flue gas NOx 烟气氮氧化物", "uint16", unit="mg/m³", low=0, high=500, typical=(24, 30))
    points.register("ir", "FURNACE_DRAFT", "Furnace draft 炉膛负压", "int16", unit="Pa", low=-500, high=500, typical=(-60, -30))
    points.register("ir", "EFFICIENCY", "Efficiency 热效率", "uint16", unit="%", low=0, high=110, typical=(91, 94))
    points.bits("di", [("DI_FLAME", "Flame 火焰"), ("DI_LOW_WATER", "Low water 低水位"), ("DI_GAS_LEAK", "Gas leak 燃气泄漏")])
    points.bits("co", [("CO_IGNITE", "Ignite 点火"), ("CO_SHUTDOWN", "Shut down 停炉")])


# code, name, site, gateway (index of the port), unit id, type, model, manufacturer, location, team, builder
DEVICES = [
    ("WELD_01", "Welding robot 1 焊接机器人 1", "WELD_SHOP", 0, 1, "WELDER", "KR 210", "KUKA", "Line 1, cell 10", "A", welder),
    ("WELD_02", "Welding robot 2 焊接机器人 2", "WELD_SHOP", 1, 1, "WELDER", "KR 210", "KUKA", "Line 1, cell 20", "A", welder),
    ("WELD_03", "Welding robot 3 焊接机器人 3", "WELD_SHOP", 2, 1, "WELDER", "IRB 6700", "ABB", "Line 2, cell 10", "B", welder),
    ("WELD_04", "Welding robot 4 焊接机器人 4", "WELD_SHOP", 3, 1, "WELDER", "IRB 6700", "ABB", "Line 2, cell 20", "B", welder),
    # Four meters behind one serial gateway: one address, a unit id each.
    ("METER_01", "Main meter 总进线电表", "ENERGY_CENTER", 4, 1, "POWER_METER", "PM5560", "Schneider", "Substation 1", "E", power_meter),
    ("METER_02", "Welding feeder 焊装馈线电表", "ENERGY_CENTER", 4, 2, "POWER_METER", "PM5560", "Schneider", "Substation 1", "E", power_meter),
    ("METER_03", "Compressor feeder 空压馈线电表", "ENERGY_CENTER", 4, 3, "POWER_METER", "PM5340", "Schneider", "Substation 1", "E", power_meter),
    ("METER_04", "Water works feeder 水站馈线电表", "ENERGY_CENTER", 4, 4, "POWER_METER", "PM5340", "Schneider", "Substation 2", "E", power_meter),
    ("COMP_01", "Compressor 1 一号空压机", "ENERGY_CENTER", 5, 1, "COMPRESSOR", "GA 90", "Atlas Copco", "Compressor house", "E", compressor),
    ("COMP_02", "Compressor 2 二号空压机", "ENERGY_CENTER", 6, 1, "COMPRESSOR", "GA 90", "Atlas Copco", "Compressor house", "E", compressor),
    ("COMP_03", "Compressor 3 三号空压机", "ENERGY_CENTER", 7, 1, "COMPRESSOR", "GA 55", "Atlas Copco", "Compressor house", "E", compressor),
    ("BOILER_01", "Boiler 1 一号锅炉", "ENERGY_CENTER", 8, 1, "BOILER", "WNS10", "Shuangliang", "Boiler house", "E", boiler),
    ("BOILER_02", "Boiler 2 二号锅炉", "ENERGY_CENTER", 9, 1, "BOILER", "WNS10", "Shuangliang", "Boiler house", "E", boiler),
    ("PUMP_01", "Intake pumps 取水泵站", "WATER_WORKS", 10, 1, "PUMP_STATION", "CR 95", "Grundfos", "River intake", "W", pump_station),
    ("PUMP_02", "Booster pumps 加压泵站", "WATER_WORKS", 11, 1, "PUMP_STATION", "CR 64", "Grundfos", "Treatment hall", "W", pump_station),
    ("PUMP_03", "Recovery pumps 回用泵站", "WATER_WORKS", 12, 1, "PUMP_STATION", "CR 64", "Grundfos", "Recovery basin", "W", pump_station),
]

TASKS = [
    ("WELD_LINE_1", "Welding line 1 焊装一线", "WELD_01,WELD_02", "", 500, "welding", ""),
    ("WELD_LINE_2", "Welding line 2 焊装二线", "WELD_03,WELD_04", "", 500, "welding", ""),
    ("POWER", "Power metering 电能计量", "METER_*", "", 1000, "energy", ""),
    ("COMPRESSED_AIR", "Compressed air 压缩空气", "COMP_*", "", 1000, "energy", ""),
    ("STEAM", "Steam 蒸汽", "BOILER_*", "", 1000, "energy", ""),
    ("WATER", "Water works 水处理", "PUMP_*", "", 1000, "water", ""),
]


def style(sheet, columns):
    required = PatternFill("solid", start_color="FCE4D6")
    optional = PatternFill("solid", start_color="DDEBF7")
    for index, title in enumerate(columns, 1):
        cell = sheet.cell(1, index)
        cell.font = Font(bold=True)
        cell.alignment = Alignment(wrap_text=True, vertical="center")
        cell.fill = required if "*" in title else optional
        width = 26 if "name" in title or "description" in title else 16
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.row_dimensions[1].height = 32
    sheet.freeze_panes = "B2"


def rows_of_devices():
    for index, (code, name, site, port, unit, kind, model, maker, place, team, _) in enumerate(DEVICES):
        yield [code, name, site, "modbus_tcp", f"{HOST}:{FIRST_PORT + port}", kind, model, maker,
               datetime.date(2021 + index % 4, 1 + index % 12, 1 + index), place, team, f"unit_id={unit}", ""]


def rows_of_points():
    for device in DEVICES:
        points = Points(device[0], unit=device[4])
        device[-1](points)
        yield from points.rows


def main():
    target = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "plant.xlsx")
    book = openpyxl.Workbook()
    book.remove(book.active)
    book.properties.creator = "Fieldwarden"
    book.properties.title = "Sample plant"
    rows = {
        "sites": [list(site) for site in SITES],
        "device_types": [list(kind) for kind in TYPES],
        "devices": list(rows_of_devices()),
        "points": list(rows_of_points()),
        "tasks": [[code, name, devices, points, period, "", group, False, "", "", options]
                  for code, name, devices, points, period, group, options in TASKS],
    }
    for kind, columns in COLUMNS.items():
        sheet = book.create_sheet(SHEETS[kind])
        sheet.append(columns)
        for row in rows[kind]:
            sheet.append([None if value == "" else value for value in row])
        style(sheet, columns)
    book[SHEETS["devices"]]["E1"].comment = Comment(
        f"The simulator of the demo listens on {HOST}, ports {FIRST_PORT} and up.\n演示模拟器监听 {HOST}，端口从 {FIRST_PORT} 起。",
        "Fieldwarden")
    for cell in book[SHEETS["devices"]]["I"][1:]:
        cell.number_format = "yyyy-mm-dd"
    book.save(target)
    print(f"{target}: {len(rows['sites'])} sites, {len(rows['devices'])} devices, {len(rows['points'])} points, "
          f"{len(rows['tasks'])} tasks")


if __name__ == "__main__":
    main()
