// The .xlsx that goes out: the template and the export, by libxlsxwriter.
#include <xlsxwriter.h>

#include <charconv>
#include <cstdio>
#include <map>
#include <memory>

#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/text.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor {

namespace {

constexpr lxw_row_t kLastValidatedRow = 9'999;  // how far the choice lists of a template reach

bool survives_as_number(const std::string& text) {
    const auto value = parse_number(text);
    if (!value) return false;
    // libxlsxwriter writes 16 digits; what needs 17 goes out as text and comes back exactly.
    char written[40];
    std::snprintf(written, sizeof written, "%.16G", *value);
    return parse_number(written) == value && number_text(*value) == text;
}

// A text that looks like an escape of the format ("_x0041_") would be read as one; its underscore is escaped.
std::string escaped(std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdefABCDEF";
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text.substr(i).starts_with("_x") && i + 6 < text.size() && text[i + 6] == '_' &&
                            text.substr(i + 2, 4).find_first_not_of(kHex) == std::string_view::npos;
        if (escape) out += "_x005F";
        out += text[i];
    }
    return out;
}

double column_width(const Field& field) {
    switch (field.type) {
        case FieldType::kCode:
        case FieldType::kReference:
        case FieldType::kPointField:
            return 20;
        case FieldType::kText:
            return field.name == "description" ? 36 : 22;
        case FieldType::kAddress:
        case FieldType::kUrl:
        case FieldType::kCodeList:
        case FieldType::kOptions:
        case FieldType::kSchedule:
        case FieldType::kStateMap:
            return 30;
        case FieldType::kInteger:
        case FieldType::kNumber:
        case FieldType::kBoolean:
        case FieldType::kDate:
        case FieldType::kChoice:
        case FieldType::kDataType:
        case FieldType::kRunLimit:
            return 14;
    }
    return 14;
}

class XlsxOut {
  public:
    XlsxOut(const std::string& path, Language language) : path_(path), language_(language) {
        // Rows are written out as they come, so that an export needs no memory to speak of.
        lxw_workbook_options options{};
        options.constant_memory = LXW_TRUE;
        book_ = workbook_new_opt(path.c_str(), &options);
        if (book_ == nullptr) return;
        header_ = workbook_add_format(book_);
        format_set_bold(header_);
        format_set_text_wrap(header_);
        format_set_align(header_, LXW_ALIGN_VERTICAL_CENTER);
        format_set_bg_color(header_, 0xDDEBF7);
        format_set_border(header_, LXW_BORDER_THIN);
        required_ = workbook_add_format(book_);
        format_set_bold(required_);
        format_set_text_wrap(required_);
        format_set_align(required_, LXW_ALIGN_VERTICAL_CENTER);
        format_set_bg_color(required_, 0xFCE4D6);
        format_set_border(required_, LXW_BORDER_THIN);
        text_ = workbook_add_format(book_);
        format_set_num_format(text_, "@");  // a code typed here stays what was typed
        date_ = workbook_add_format(book_);
        format_set_num_format(date_, "yyyy-mm-dd");
        wrapped_ = workbook_add_format(book_);
        format_set_text_wrap(wrapped_);
        format_set_align(wrapped_, LXW_ALIGN_VERTICAL_TOP);
    }
    XlsxOut(const XlsxOut&) = delete;
    XlsxOut& operator=(const XlsxOut&) = delete;
    ~XlsxOut() {
        if (book_ != nullptr) workbook_close(book_);
    }

    // A sheet with its header; records follow with write_record in rising rows.
    void begin_kind(Kind kind, bool with_lists) {
        if (book_ == nullptr) return;
        const auto& schema = schema_of(kind);
        sheet_ = workbook_add_worksheet(book_, sheet_name(kind).c_str());
        if (sheet_ == nullptr) {
            failed_ = true;
            return;
        }
        worksheet_set_row(sheet_, 0, 32, nullptr);
        worksheet_freeze_panes(sheet_, 1, 1);
        for (std::size_t i = 0; i < schema.fields.size(); ++i) {
            const auto& field = schema.fields[i];
            const auto column = static_cast<lxw_col_t>(i);
            worksheet_set_column(sheet_, column, column, column_width(field), column_format(field));
            const auto title = fmt::format("{}{}\n{}", field.name, field.required ? "*" : "", field.name_zh);
            check(worksheet_write_string(sheet_, 0, column, title.c_str(),
                                         field.required ? required_ : header_));
            write_comment(column, field);
            if (with_lists) add_list(column, field);
        }
    }

    void write_record(Kind kind, const Record& record, lxw_row_t row, ExportSecrets secrets) {
        const auto fields = schema_of(kind).fields;
        for (std::size_t i = 0; i < fields.size() && i < record.cells.size() && sheet_ != nullptr; ++i) {
            const std::string cell{record.cells[i]};
            write_cell(row, static_cast<lxw_col_t>(i), fields[i],
                       secrets == ExportSecrets::kClear ? cell : masked_cell(fields[i], cell));
        }
    }

    void write_help();

    Status finish() {
        if (book_ == nullptr) return failure("out of memory");
        const auto error = workbook_close(book_);
        book_ = nullptr;
        if (error != LXW_NO_ERROR) return failure(lxw_strerror(error));
        if (failed_) return failure("a cell could not be written");
        return {};
    }

  private:
    Error failure(std::string_view why) const {
        return make_error(ErrorKind::kIo,
                          say(language_, "cannot write {}: {}", "无法写入 {}：{}", path_, why));
    }
    void check(lxw_error error) { failed_ = failed_ || error != LXW_NO_ERROR; }

    std::string sheet_name(Kind kind) const {
        return std::string{language_ == Language::kChinese ? schema_of(kind).sheet_zh
                                                           : schema_of(kind).sheet};
    }

    lxw_format* column_format(const Field& field) const {
        switch (field.type) {
            case FieldType::kInteger:
            case FieldType::kNumber:
            case FieldType::kBoolean:
                return nullptr;
            case FieldType::kDate:
                return date_;
            case FieldType::kCode:
            case FieldType::kText:
            case FieldType::kChoice:
            case FieldType::kDataType:
            case FieldType::kAddress:
            case FieldType::kReference:
            case FieldType::kCodeList:
            case FieldType::kOptions:
            case FieldType::kUrl:
            case FieldType::kSchedule:
            case FieldType::kRunLimit:
            case FieldType::kPointField:
            case FieldType::kStateMap:
                return text_;
        }
        return text_;
    }

    void write_cell(lxw_row_t row, lxw_col_t column, const Field& field, const std::string& text) {
        if (text.empty()) return;
        switch (field.type) {
            case FieldType::kInteger:
            case FieldType::kNumber:
                if (survives_as_number(text)) {
                    check(worksheet_write_number(sheet_, row, column, *parse_number(text), nullptr));
                    return;
                }
                break;
            case FieldType::kBoolean:
                check(worksheet_write_boolean(sheet_, row, column, text == "true", nullptr));
                return;
            case FieldType::kDate:
                if (write_date(row, column, text)) return;
                break;
            case FieldType::kCode:
            case FieldType::kText:
            case FieldType::kChoice:
            case FieldType::kDataType:
            case FieldType::kAddress:
            case FieldType::kReference:
            case FieldType::kCodeList:
            case FieldType::kOptions:
            case FieldType::kUrl:
            case FieldType::kSchedule:
            case FieldType::kRunLimit:
            case FieldType::kPointField:
            case FieldType::kStateMap:
                break;
        }
        // Never a formula, whatever the text starts with.
        check(worksheet_write_string(sheet_, row, column, escaped(text).c_str(), text_));
    }

    // Dates before March 1900 mean different days to different programs; they go out as text.
    bool write_date(lxw_row_t row, lxw_col_t column, const std::string& text) {
        int parts[3] = {0, 0, 0};
        if (std::sscanf(text.c_str(), "%4d-%2d-%2d", &parts[0], &parts[1], &parts[2]) != 3) return false;
        if (parts[0] < 1901) return false;
        lxw_datetime date{parts[0], parts[1], parts[2], 0, 0, 0};
        check(worksheet_write_datetime(sheet_, row, column, &date, date_));
        return true;
    }

    void write_comment(lxw_col_t column, const Field& field) {
        if (field.help.empty() && field.help_zh.empty() && field.fallback.empty()) return;
        std::string note{field.help};
        if (!field.help_zh.empty()) note += (note.empty() ? "" : "\n") + std::string{field.help_zh};
        if (!field.fallback.empty()) {
            note += fmt::format("{}empty = {}\n空 = {}", note.empty() ? "" : "\n", field.fallback,
                                field.fallback);
        }
        lxw_comment_options options{};
        options.width = 320;
        options.height = 90;
        check(worksheet_write_comment_opt(sheet_, 0, column, note.c_str(), &options));
    }

    void add_list(lxw_col_t column, const Field& field) {
        lxw_data_validation rule{};
        rule.ignore_blank = LXW_VALIDATION_ON;
        rule.dropdown = LXW_VALIDATION_ON;
        // A stop rather than a note only where nothing else can be right.
        rule.error_type = LXW_VALIDATION_ERROR_TYPE_WARNING;
        std::vector<std::string> names;
        std::vector<char*> list;
        std::string formula;
        const auto split = [&](std::string_view choices) {
            while (!choices.empty()) {
                const auto bar = std::min(choices.find('|'), choices.size());
                names.emplace_back(choices.substr(0, bar));
                choices.remove_prefix(std::min(bar + 1, choices.size()));
            }
        };
        if (field.type == FieldType::kChoice) {
            split(field.choices);
        } else if (field.type == FieldType::kBoolean) {
            split("true|false");
        } else if (field.type == FieldType::kDataType) {
            split("bool|int16|uint16|int32|uint32|int64|uint64|float32|float64|bcd16|bcd32|string(16)");
        } else if (field.type == FieldType::kReference) {
            formula = fmt::format("='{}'!$A$2:$A${}", sheet_name(field.refers_to), kLastValidatedRow + 1);
        } else {
            return;
        }
        if (formula.empty()) {
            for (auto& name : names) list.push_back(name.data());
            list.push_back(nullptr);
            rule.validate = LXW_VALIDATION_TYPE_LIST;
            rule.value_list = list.data();
        } else {
            rule.validate = LXW_VALIDATION_TYPE_LIST_FORMULA;
            rule.value_formula = formula.data();
        }
        check(worksheet_data_validation_range(sheet_, 1, column, kLastValidatedRow, column, &rule));
    }

    std::string path_;
    Language language_;
    lxw_workbook* book_ = nullptr;
    lxw_worksheet* sheet_ = nullptr;
    lxw_format* header_ = nullptr;
    lxw_format* required_ = nullptr;
    lxw_format* text_ = nullptr;
    lxw_format* date_ = nullptr;
    lxw_format* wrapped_ = nullptr;
    bool failed_ = false;
};

struct HelpRow {
    std::string_view english, chinese;
};
constexpr HelpRow kIntroduction[] = {
    {"This workbook describes a plant for Fieldwarden. One sheet per kind, one row per record.",
     "本工作簿描述 Fieldwarden 的工厂配置：每种对象一张表，每条记录一行。"},
    {"Columns marked * are required; an empty optional cell means the default.",
     "带 * 的列必填；可选单元格留空表示默认值。"},
    {"Sheets: sites > devices > points > tasks. device_types and sinks are optional.",
     "顺序：站点 > 设备 > 测点 > 采集任务。设备类型和存储可选。"},
    {"Codes: up to 64 letters, digits, '_', '-', '.'; they never change once imported.",
     "编码：最多 64 个字母、数字、“_”、“-”、“.”，导入后不再更改。"},
    {"A secret shown as ******** keeps what is stored.", "显示为 ******** 的密钥保持已保存的值。"},
    {"This sheet is for people; the import does not read it. A column whose name starts with # is not read "
     "either.",
     "本表仅供阅读，导入时忽略；列名以 # 开头的列也会被忽略。"},
};

// One example per column, so that nobody has to delete an example row.
std::string_view example_of(Kind kind, std::string_view field) {
    static const std::map<std::pair<Kind, std::string_view>, std::string_view> kExamples{
        {{Kind::kSite, "site_code"}, "PLANT_A"},
        {{Kind::kSite, "site_name"}, "Plant A / 一厂"},
        {{Kind::kDeviceType, "type_code"}, "POWER_METER"},
        {{Kind::kDeviceType, "type_name"}, "Power meter / 电表"},
        {{Kind::kDeviceType, "stable_name"}, "power_meter"},
        {{Kind::kDeviceType, "status_point"}, "STATE"},
        {{Kind::kDeviceType, "state_map"}, "run=2,3; standby=1; alarm=10..19; shutdown=0"},
        {{Kind::kDevice, "device_code"}, "METER_01"},
        {{Kind::kDevice, "device_name"}, "Main meter / 总表"},
        {{Kind::kDevice, "site_code"}, "PLANT_A"},
        {{Kind::kDevice, "protocol"}, "modbus_tcp"},
        {{Kind::kDevice, "address"}, "192.168.0.10:502"},
        {{Kind::kDevice, "type_code"}, "POWER_METER"},
        {{Kind::kDevice, "install_date"}, "2026-03-31"},
        {{Kind::kDevice, "is_locked"}, "false"},
        {{Kind::kDevice, "options"}, "unit_id=1; timeout_ms=1000"},
        {{Kind::kPoint, "point_code"}, "METER_01_UA"},
        {{Kind::kPoint, "point_name"}, "Voltage A / A 相电压"},
        {{Kind::kPoint, "device_code"}, "METER_01"},
        {{Kind::kPoint, "address"}, "hr:10 (= 40011)"},
        {{Kind::kPoint, "data_type"}, "uint16"},
        {{Kind::kPoint, "byte_order"}, "ABCD"},
        {{Kind::kPoint, "scale"}, "0.1"},
        {{Kind::kPoint, "unit"}, "V"},
        {{Kind::kPoint, "min_value"}, "0"},
        {{Kind::kPoint, "max_value"}, "300"},
        {{Kind::kTask, "task_code"}, "ENERGY"},
        {{Kind::kTask, "task_name"}, "Energy / 能耗"},
        {{Kind::kTask, "devices"}, "METER_*"},
        {{Kind::kTask, "period_ms"}, "1000"},
        {{Kind::kTask, "autostart"}, "true"},
        {{Kind::kTask, "schedule"}, "start=0 8 * * 1-5; stop=0 18 * * 1-5"},
        {{Kind::kTask, "run_limit"}, "duration=1h"},
        {{Kind::kSink, "sink_code"}, "INFLUX"},
        {{Kind::kSink, "type"}, "influxdb"},
        {{Kind::kSink, "url"}, "http://192.168.0.20:8086"},
        {{Kind::kSink, "options"}, "org=plant; bucket=points; token=…"},
    };
    const auto found = kExamples.find({kind, field});
    return found == kExamples.end() ? std::string_view{} : found->second;
}

void XlsxOut::write_help() {
    if (book_ == nullptr) return;
    sheet_ = workbook_add_worksheet(book_, "说明 Help");
    if (sheet_ == nullptr) {
        failed_ = true;
        return;
    }
    constexpr double kWidths[] = {18, 26, 12, 44, 44, 34};
    for (std::size_t i = 0; i < std::size(kWidths); ++i) {
        worksheet_set_column(sheet_, static_cast<lxw_col_t>(i), static_cast<lxw_col_t>(i), kWidths[i],
                             wrapped_);
    }
    lxw_row_t row = 0;
    const auto write = [&](lxw_col_t column, std::string_view text, lxw_format* format) {
        if (!text.empty())
            check(worksheet_write_string(sheet_, row, column, std::string{text}.c_str(), format));
    };
    for (const auto& line : kIntroduction) {
        write(0, line.english, nullptr);
        ++row;
        write(0, line.chinese, nullptr);
        ++row;
    }
    ++row;
    constexpr std::string_view kTitles[] = {"sheet / 表", "column / 列", "required / 必填",
                                            "meaning",    "说明",        "example / 示例"};
    for (std::size_t i = 0; i < std::size(kTitles); ++i)
        write(static_cast<lxw_col_t>(i), kTitles[i], header_);
    ++row;
    for (const auto kind : kAllKinds) {
        const auto& schema = schema_of(kind);
        for (const auto& field : schema.fields) {
            write(0, fmt::format("{} / {}", schema.sheet, schema.sheet_zh), wrapped_);
            write(1, fmt::format("{} / {}", field.name, field.name_zh), wrapped_);
            write(2, field.required ? "*" : "", wrapped_);
            std::string choices{field.choices};
            for (std::size_t at = 0; (at = choices.find('|', at)) != std::string::npos; at += 2) {
                choices.replace(at, 1, ", ");
            }
            write(3, field.help.empty() ? std::string_view{choices} : field.help, wrapped_);
            write(4, field.help_zh.empty() ? std::string_view{choices} : field.help_zh, wrapped_);
            write(5, example_of(kind, field.name), wrapped_);
            ++row;
        }
    }
}

}  // namespace

Status write_export(const Plant& plant, const std::string& path, Language language, ExportSecrets secrets) {
    XlsxOut out{path, language};
    for (const auto kind : kAllKinds) {
        out.begin_kind(kind, false);
        lxw_row_t row = 1;
        for (const auto& record : plant.of(kind).all()) out.write_record(kind, record, row++, secrets);
    }
    return out.finish();
}

Status write_template(const std::string& path, Language language) {
    XlsxOut out{path, language};
    for (const auto kind : kAllKinds) out.begin_kind(kind, true);
    out.write_help();
    return out.finish();
}

}  // namespace fieldwarden::supervisor
