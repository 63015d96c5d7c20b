#include "supervisor/plant/schema.h"

namespace fieldwarden::supervisor {

namespace {

using T = FieldType;

constexpr Field code(std::string_view name, std::string_view zh, std::string_view help,
                     std::string_view help_zh) {
    return {
        .name = name, .name_zh = zh, .type = T::kCode, .required = true, .help = help, .help_zh = help_zh};
}
constexpr Field text(std::string_view name, std::string_view zh, bool required = false) {
    return {.name = name, .name_zh = zh, .type = T::kText, .required = required};
}

constexpr std::array kSiteFields{
    code("site_code", "站点编码", "unique code of the site", "站点的唯一编码"),
    text("site_name", "站点名称", true),
    text("description", "描述"),
};

constexpr std::array kDeviceTypeFields{
    code("type_code", "类型编码", "unique code of the device type", "设备类型的唯一编码"),
    text("type_name", "类型名称", true),
    Field{.name = "stable_name",
          .name_zh = "超级表名",
          .help = "TDengine super table",
          .help_zh = "TDengine 超级表"},
    Field{.name = "status_point",
          .name_zh = "状态测点",
          .type = T::kPointField,
          .goes_with = "state_map",
          .help = "the point that says what a device of the type is doing: its code without the device's "
                  "(STATE stands for W001_STATE of W001); for /device/statistics",
          .help_zh = "表示设备状态的测点：测点编码去掉设备编码前缀（STATE 即 W001 的 "
                     "W001_STATE）；用于设备统计"},
    Field{.name = "state_map",
          .name_zh = "状态映射",
          .type = T::kStateMap,
          .goes_with = "status_point",
          .help = "what its values mean: welding=2,3; standby=1; alarm=10..19; shutdown=0",
          .help_zh = "状态测点取值的含义：welding=2,3; standby=1; alarm=10..19; shutdown=0"},
    text("description", "描述"),
};

constexpr std::array kDeviceFields{
    code("device_code", "设备编码", "unique code of the device", "设备的唯一编码"),
    text("device_name", "设备名称", true),
    Field{.name = "site_code",
          .name_zh = "站点编码",
          .type = T::kReference,
          .required = true,
          .refers_to = Kind::kSite},
    Field{.name = "protocol",
          .name_zh = "协议",
          .type = T::kChoice,
          .required = true,
          .choices = "modbus_tcp|modbus_rtu|mitsubishi_mc|opcua|mqtt"},
    Field{.name = "address",
          .name_zh = "地址",
          .type = T::kAddress,
          .required = true,
          .help = "host:port, /dev/ttyS0, opc.tcp://host:port/path or mqtt://host:port",
          .help_zh = "主机:端口、/dev/ttyS0、opc.tcp://主机:端口/路径 或 mqtt://主机:端口"},
    Field{.name = "type_code", .name_zh = "类型编码", .type = T::kReference, .refers_to = Kind::kDeviceType},
    text("device_model", "设备型号"),
    text("manufacturer", "制造商"),
    Field{.name = "production_date", .name_zh = "生产日期", .type = T::kDate},
    Field{.name = "install_date", .name_zh = "安装日期", .type = T::kDate},
    text("install_location", "安装位置"),
    text("team_name", "班组"),
    Field{.name = "is_locked", .name_zh = "是否锁定", .type = T::kBoolean, .fallback = "false"},
    Field{.name = "options",
          .name_zh = "选项",
          .type = T::kOptions,
          .help = "key=value; key=value (unit_id, max_gap, timeout_ms, …)",
          .help_zh = "键=值; 键=值（unit_id、max_gap、timeout_ms……）"},
    text("description", "描述"),
};

constexpr std::array kPointFields{
    code("point_code", "测点编码", "unique code of the point", "测点的唯一编码"),
    text("point_name", "测点名称"),
    Field{.name = "device_code",
          .name_zh = "设备编码",
          .type = T::kReference,
          .required = true,
          .refers_to = Kind::kDevice},
    Field{.name = "address",
          .name_zh = "地址",
          .type = T::kAddress,
          .required = true,
          .help = "40001, hr:0, ir:0, co:0, di:0; .3 for a bit, @7 for a unit id",
          .help_zh = "40001、hr:0、ir:0、co:0、di:0；.3 表示位，@7 表示站号"},
    Field{.name = "data_type",
          .name_zh = "数据类型",
          .type = T::kDataType,
          .required = true,
          .help =
              "bool, int16, uint16, int32, uint32, int64, uint64, float32, float64, bcd16, bcd32, string(N)",
          .help_zh =
              "bool、int16、uint16、int32、uint32、int64、uint64、float32、float64、bcd16、bcd32、string(N)"},
    Field{.name = "byte_order",
          .name_zh = "字节序",
          .type = T::kChoice,
          .choices = "ABCD|DCBA|BADC|CDAB",
          .fallback = "ABCD"},
    Field{.name = "scale", .name_zh = "比例", .type = T::kNumber, .fallback = "1"},
    Field{.name = "offset", .name_zh = "偏移", .type = T::kNumber, .fallback = "0"},
    text("unit", "单位"),
    Field{.name = "deadband", .name_zh = "死区", .type = T::kNumber},
    Field{.name = "min_value", .name_zh = "最小值", .type = T::kNumber},
    Field{.name = "max_value", .name_zh = "最大值", .type = T::kNumber},
    Field{.name = "period_ms",
          .name_zh = "采集周期",
          .type = T::kInteger,
          .help = "milliseconds; empty: the task's",
          .help_zh = "毫秒；空：使用任务的周期"},
    Field{.name = "access",
          .name_zh = "读写",
          .type = T::kChoice,
          .choices = "r|rw",
          .fallback = "r",
          .help = "r: read only; rw: operators may write it",
          .help_zh = "r：只读；rw：允许操作员写入"},
    text("description", "描述"),
};

constexpr std::array kTaskFields{
    code("task_code", "任务编码", "unique code of the task", "任务的唯一编码"),
    text("task_name", "任务名称", true),
    Field{.name = "devices",
          .name_zh = "设备",
          .type = T::kCodeList,
          .refers_to = Kind::kDevice,
          .help = "device codes, comma-separated; * matches any",
          .help_zh = "设备编码，逗号分隔；* 为通配符"},
    Field{.name = "points",
          .name_zh = "测点",
          .type = T::kCodeList,
          .refers_to = Kind::kPoint,
          .help = "point codes; empty: all points of the devices",
          .help_zh = "测点编码；空：设备的全部测点"},
    Field{.name = "period_ms",
          .name_zh = "采集周期",
          .type = T::kInteger,
          .required = true,
          .help = "milliseconds",
          .help_zh = "毫秒"},
    Field{.name = "sinks",
          .name_zh = "存储",
          .type = T::kCodeList,
          .refers_to = Kind::kSink,
          .help = "sink codes; empty: the embedded history only",
          .help_zh = "存储编码；空：仅内置历史库"},
    text("group", "分组"),
    Field{.name = "autostart", .name_zh = "自动启动", .type = T::kBoolean, .fallback = "false"},
    Field{.name = "schedule",
          .name_zh = "计划",
          .type = T::kSchedule,
          .help = "start=0 8 * * 1-5; stop=0 18 * * 1-5",
          .help_zh = "start=0 8 * * 1-5; stop=0 18 * * 1-5"},
    Field{.name = "run_limit",
          .name_zh = "运行限制",
          .type = T::kRunLimit,
          .help = "empty: continuous; cycles=N; duration=1h",
          .help_zh = "空：连续运行；cycles=N；duration=1h"},
    Field{.name = "options", .name_zh = "选项", .type = T::kOptions},
};

constexpr std::array kSinkFields{
    code("sink_code", "存储编码", "unique code of the sink", "存储的唯一编码"),
    Field{.name = "type",
          .name_zh = "类型",
          .type = T::kChoice,
          .required = true,
          .choices = "history|influxdb|kafka|postgres|tdengine|mqtt"},
    Field{.name = "url", .name_zh = "连接地址", .type = T::kUrl, .required = true},
    Field{.name = "options", .name_zh = "选项", .type = T::kOptions},
};

constexpr std::array<KindSchema, kKindCount> kSchemas{{
    {Kind::kSite, "sites", "站点", "sites", "site", "站点", kSiteFields},
    {Kind::kDeviceType, "device_types", "设备类型", "device-types", "device type", "设备类型",
     kDeviceTypeFields},
    {Kind::kDevice, "devices", "设备", "devices", "device", "设备", kDeviceFields},
    {Kind::kPoint, "points", "测点", "points", "point", "测点", kPointFields},
    {Kind::kTask, "tasks", "采集任务", "tasks", "task", "采集任务", kTaskFields},
    {Kind::kSink, "sinks", "存储", "sinks", "sink", "存储", kSinkFields},
}};

}  // namespace

const KindSchema& schema_of(Kind kind) {
    return kSchemas[static_cast<std::size_t>(kind)];
}

std::size_t KindSchema::index_of(std::string_view name) const {
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].name == name) return i;
    }
    return npos;
}

bool is_secret_option(std::string_view name) {
    // By the ending, so that kafka.sasl.password and proxy_password are caught with password.
    for (const std::string_view ending :
         {"password", "passwd", "token", "secret", "private_key", "passphrase"}) {
        if (name.ends_with(ending)) return true;
    }
    return false;
}

}  // namespace fieldwarden::supervisor
