#include "supervisor/workbook/record_checks.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "common/clock.h"
#include "common/device_options.h"
#include "common/sink_options.h"
#include "supervisor/plant/point_field.h"
#include "supervisor/plant/task_options.h"
#include "supervisor/workbook/addresses.h"
#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

namespace {

std::string_view cell(const Record& record, std::size_t field) {
    return field < record.cells.size() ? record.cells[field] : std::string_view{};
}

// Positions of the fields that are looked at for every row.
struct PointFields {
    std::size_t device = field_at(Kind::kPoint, "device_code");
    std::size_t address = field_at(Kind::kPoint, "address");
    std::size_t type = field_at(Kind::kPoint, "data_type");
    std::size_t order = field_at(Kind::kPoint, "byte_order");
    std::size_t scale = field_at(Kind::kPoint, "scale");
    std::size_t deadband = field_at(Kind::kPoint, "deadband");
    std::size_t least = field_at(Kind::kPoint, "min_value");
    std::size_t most = field_at(Kind::kPoint, "max_value");
};
const PointFields& point_fields() {
    static const PointFields fields;
    return fields;
}

std::string_view noun(Kind kind, Language language) {
    return language == Language::kChinese ? schema_of(kind).noun_zh : schema_of(kind).noun;
}

std::string names_of(std::span<const OptionSpec> specs) {
    std::string names;
    for (const auto& spec : specs) names += fmt::format("{}{}", names.empty() ? "" : ", ", spec.name);
    return names;
}

std::string option_help(const OptionSpec& spec, Language language) {
    switch (spec.type) {
        case OptionSpec::Type::kInteger:
            return say(language, "a whole number from {} to {} ({})", "{} 到 {} 的整数", spec.least,
                       spec.most, spec.help);
        case OptionSpec::Type::kDuration:
            return say(language, "a duration from {} to {}, as in 30s or 2h ({})",
                       "{} 到 {} 的时长，例如 30s、2h",
                       format_duration(std::chrono::milliseconds{spec.least}),
                       format_duration(std::chrono::milliseconds{spec.most}), spec.help);
        case OptionSpec::Type::kChoice:
            return say(language, "one of {}", "{} 之一", spec.choices);
        case OptionSpec::Type::kBoolean:
            return say(language, "true or false", "true 或 false");
        case OptionSpec::Type::kText:
            return say(language, "text", "文字");
    }
    return {};
}

}  // namespace

std::size_t field_at(Kind kind, std::string_view name) {
    const auto index = schema_of(kind).index_of(name);
    assert(index != KindSchema::npos);
    return index;
}

void check_pairs(Kind kind, std::span<const std::string> cells, Language language, Findings& findings) {
    const auto& schema = schema_of(kind);
    for (std::size_t i = 0; i < schema.fields.size(); ++i) {
        const auto& field = schema.fields[i];
        if (field.goes_with.empty() || !cells[i].empty()) continue;
        const auto other = schema.index_of(field.goes_with);
        const bool reported =
            std::ranges::any_of(findings, [i](const Finding& finding) { return finding.field == i; });
        if (cells[other].empty() || reported) continue;
        findings.push_back(
            {i, ProblemCode::kMissingValue,
             say(language, "{} says nothing without {}; fill in both or neither",
                 "只填写 {} 没有作用，还需填写 {}；请两列都填写或都留空", field.goes_with, field.name)});
    }
}

RecordChecks::RecordChecks(const Plant& plant, const ValidationRules& rules)
    : plant_(plant), rules_(rules), language_(rules.language) {}

std::string RecordChecks::nearest(Kind kind, std::string_view code) {
    if (suggestions_left_ == 0) return {};
    --suggestions_left_;
    NearestMatch match{code};
    std::size_t offered = 0;
    for (const auto& record : plant_.of(kind).all()) {
        if (++offered > kMaxSuggestionCandidates) break;
        match.offer(record.code());
    }
    return match.best();
}

void RecordChecks::dangling(Kind kind, std::size_t field, std::string_view code, Findings& findings) {
    const auto guess = nearest(kind, code);
    const auto hint =
        guess.empty() ? std::string{} : say(language_, " (did you mean '{}'?)", "（是否应为“{}”？）", guess);
    findings.push_back(
        {field, ProblemCode::kDanglingReference,
         say(language_, "there is no {} '{}'{}; add it to the sheet {}", "没有{}“{}”{}；请在“{}”表中添加",
             noun(kind, language_), shortened(code, kLongestCode), hint,
             language_ == Language::kChinese ? schema_of(kind).sheet_zh : schema_of(kind).sheet),
         std::string{code}});
}

const std::set<std::string, std::less<>>& RecordChecks::fields_of_type(std::string_view type_code) {
    if (!std::exchange(fields_indexed_, true)) {
        static const auto kType = field_at(Kind::kDevice, "type_code");
        const auto& devices = plant_.of(Kind::kDevice).all();
        const auto& points = plant_.of(Kind::kPoint).all();
        const auto& device_of = device_of_points();
        for (std::size_t i = 0; i < points.size(); ++i) {
            if (device_of[i] == kNoDevice) continue;
            const auto& device = devices[device_of[i]];
            const auto type = cell(device, kType);
            if (type.empty()) continue;
            fields_of_types_[std::string{type}].emplace(point_field(device.code(), points[i].code()));
        }
    }
    static const std::set<std::string, std::less<>> kNone;
    const auto found = fields_of_types_.find(type_code);
    return found == fields_of_types_.end() ? kNone : found->second;
}

// A type without devices, or whose devices have no points yet, may name a point that is still to come.
void RecordChecks::device_type(const Record& record, Findings& findings) {
    static const auto kStatusPoint = field_at(Kind::kDeviceType, "status_point");
    const auto wanted = cell(record, kStatusPoint);
    if (wanted.empty()) return;
    const auto& fields = fields_of_type(record.code());
    if (fields.empty() || fields.contains(wanted)) return;
    NearestMatch match{wanted};
    for (const auto& field : fields) match.offer(field);
    const auto hint = match.best().empty()
                          ? std::string{}
                          : say(language_, " (did you mean '{}'?)", "（是否应为“{}”？）", match.best());
    findings.push_back(
        {kStatusPoint, ProblemCode::kDanglingReference,
         say(language_,
             "no device of this type has a point '{0}'{1}; write the point's code without the device's, as "
             "in "
             "STATE for W001_STATE of device W001",
             "此类型的设备都没有测点“{0}”{1}；请填写去掉设备编码前缀的测点编码，例如设备 W001 的 W001_STATE "
             "填写 STATE",
             wanted, hint),
         std::string{wanted}});
}

void RecordChecks::reference(Kind kind, const Record& record, std::string_view name, Findings& findings) {
    const auto field = field_at(kind, name);
    const auto code = cell(record, field);
    const auto target = schema_of(kind).fields[field].refers_to;
    if (code.empty() || plant_.of(target).find(code) != nullptr) return;
    dangling(target, field, code, findings);
}

void RecordChecks::options(Kind kind, std::string_view text, std::span<const OptionSpec> specs,
                           std::string_view owner, Findings& findings) const {
    const auto parsed = parse_options(text);
    if (!parsed) return;  // reported with the cell
    const auto field = field_at(kind, "options");
    for (const auto& option : *parsed) {
        const auto& name = option.first;
        const auto& value = option.second;
        if (check_options(specs, owner, {{name, value}})) continue;
        const auto spec = std::find_if(specs.begin(), specs.end(),
                                       [&](const OptionSpec& each) { return covers(each, name); });
        if (spec == specs.end()) {
            NearestMatch match{name};
            for (const auto& each : specs) match.offer(each.name);
            const auto hint = match.best().empty()
                                  ? std::string{}
                                  : say(language_, "; did you mean '{}'?", "，是否应为“{}”？", match.best());
            findings.push_back(
                {field, ProblemCode::kUnknownOption,
                 say(language_, "{} has no option '{}'{} Known: {}", "{} 没有选项“{}”{}可用的选项：{}", owner,
                     shortened(name, 64),
                     hint.empty() ? (language_ == Language::kChinese ? "，" : ".") : hint, names_of(specs)),
                 std::string{text}});
        } else {
            const auto shown = is_secret_option(name) ? std::string{kSecretMask} : shortened(value, 64);
            findings.push_back({field, ProblemCode::kBadOptions,
                                say(language_, "option {}='{}': write {}", "选项 {}=“{}”：应为 {}", name,
                                    shown, option_help(*spec, language_)),
                                std::string{text}});
        }
    }
}

void RecordChecks::period(Kind kind, const Record& record, Findings& findings) {
    static const std::array<std::size_t, 2> kFields{field_at(Kind::kPoint, "period_ms"),
                                                    field_at(Kind::kTask, "period_ms")};
    const auto field = kFields[kind == Kind::kTask ? 1 : 0];
    const auto text = cell(record, field);
    if (text.empty()) return;
    const auto value = parse_number(text);
    if (value && *value >= static_cast<double>(kShortestPeriodMs) &&
        *value <= static_cast<double>(kLongestPeriodMs)) {
        return;
    }
    findings.push_back({field, ProblemCode::kPeriodOutOfRange,
                        say(language_, "a period is {} to {} milliseconds (one day)",
                            "周期应为 {} 到 {} 毫秒（一天）", kShortestPeriodMs, kLongestPeriodMs),
                        std::string{text}});
}

DeviceFacts RecordChecks::facts_of(const Record& device) {
    static const auto kProtocol = field_at(Kind::kDevice, "protocol");
    static const auto kOptions = field_at(Kind::kDevice, "options");
    DeviceFacts facts;
    facts.protocol = from_name<Protocol>(cell(device, kProtocol));
    const bool modbus = facts.protocol == Protocol::kModbusTcp || facts.protocol == Protocol::kModbusRtu;
    if (modbus) {
        if (const auto options = parse_options(cell(device, kOptions))) {
            facts.unit_id = static_cast<std::uint8_t>(integer_option(*facts.protocol, *options, "unit_id"));
        }
    }
    if (facts.protocol == Protocol::kMitsubishiMc) {
        if (const auto options = parse_options(cell(device, kOptions))) facts.mc = mc_dialect(*options);
    }
    return facts;
}

void RecordChecks::device(const Record& record, Findings& findings) {
    reference(Kind::kDevice, record, "site_code", findings);
    reference(Kind::kDevice, record, "type_code", findings);
    static const auto kProtocol = field_at(Kind::kDevice, "protocol");
    static const auto kAddress = field_at(Kind::kDevice, "address");
    static const auto kOptions = field_at(Kind::kDevice, "options");
    const auto protocol = from_name<Protocol>(cell(record, kProtocol));
    if (!protocol) return;
    if (std::find(rules_.protocols.begin(), rules_.protocols.end(), *protocol) == rules_.protocols.end()) {
        std::string known;
        for (const auto each : rules_.protocols)
            known += fmt::format("{}{}", known.empty() ? "" : ", ", to_name(each));
        findings.push_back({kProtocol, ProblemCode::kUnsupportedProtocol,
                            say(language_, "this version has no driver for {}; it has: {}",
                                "此版本没有 {} 驱动，可用：{}", to_name(*protocol), known),
                            std::string{cell(record, kProtocol)}});
    }
    if (const auto address = cell(record, kAddress); !address.empty()) {
        if (auto problem = device_address_problem(*protocol, address, language_)) {
            findings.push_back(
                {kAddress, ProblemCode::kBadAddress, std::move(*problem), std::string{address}});
        }
    }
    options(Kind::kDevice, cell(record, kOptions), device_options(*protocol), to_name(*protocol), findings);
}

void RecordChecks::point(const Record& record, Findings& findings, std::optional<ModbusPlace>* place) {
    const auto& fields = point_fields();
    const auto code = cell(record, fields.device);
    if (code.empty()) {
        point_on(record, {}, findings, place);
        return;
    }
    // Points of one device stand together in almost every workbook.
    if (!last_device_ || code != last_device_code_) {
        const auto* device = plant_.of(Kind::kDevice).find(code);
        if (device == nullptr) {
            dangling(Kind::kDevice, fields.device, code, findings);
            point_on(record, {}, findings, place);
            return;
        }
        last_device_code_ = code;
        last_device_ = facts_of(*device);
        last_device_->position = static_cast<std::uint32_t>(device - plant_.of(Kind::kDevice).all().data());
    }
    point_on(record, *last_device_, findings, place);
}

void RecordChecks::point_on(const Record& record, const DeviceFacts& device, Findings& findings,
                            std::optional<ModbusPlace>* place) {
    const auto& fields = point_fields();
    period(Kind::kPoint, record, findings);
    if (const auto scale = cell(record, fields.scale); scale == "0") {
        findings.push_back({fields.scale, ProblemCode::kZeroScale,
                            say(language_, "a scale of 0 makes every value 0; leave it empty for 1",
                                "比例为 0 会使所有值变为 0，留空表示 1"),
                            std::string{scale}});
    }
    if (const auto deadband = cell(record, fields.deadband); deadband.starts_with('-')) {
        findings.push_back({fields.deadband, ProblemCode::kBadValue,
                            say(language_, "a deadband is 0 or more", "死区应大于或等于 0"),
                            std::string{deadband}});
    }
    const auto least = cell(record, fields.least);
    const auto most = cell(record, fields.most);
    if (!least.empty() && !most.empty()) {
        const auto low = parse_number(least);
        const auto high = parse_number(most);
        if (low && high && *low > *high) {
            findings.push_back({fields.least, ProblemCode::kMinAboveMax,
                                say(language_, "min_value {} is above max_value {}; swap them",
                                    "最小值 {} 大于最大值 {}，请对调", least, most),
                                std::string{least}});
        }
    }

    const auto address = cell(record, fields.address);
    const auto type_text = cell(record, fields.type);
    if (!device.protocol || address.empty()) return;
    const auto type = type_text.empty() ? Result<DataType>{make_error(ErrorKind::kInvalidArgument, "")}
                                        : parse_data_type(type_text);
    const auto bad_address = [&](std::optional<std::string> problem) {
        if (problem)
            findings.push_back(
                {fields.address, ProblemCode::kBadAddress, std::move(*problem), std::string{address}});
    };
    switch (*device.protocol) {
        case Protocol::kModbusTcp:
        case Protocol::kModbusRtu: {
            const auto parsed = parse_modbus_address(address);
            if (!parsed) {
                bad_address(modbus_address_help(address, language_));
                return;
            }
            if (!type) return;
            if (auto problem = modbus_type_problem(*parsed, *type, language_); !problem.empty()) {
                findings.push_back(
                    {fields.type, ProblemCode::kTypeMismatch, std::move(problem), std::string{type_text}});
                return;
            }
            if (place != nullptr && parsed->is_register()) {
                place->emplace(
                    ModbusPlace{*parsed, parsed->unit_id.value_or(device.unit_id), *type,
                                from_name<ByteOrder>(cell(record, fields.order)).value_or(ByteOrder::kAbcd)});
            }
            return;
        }
        case Protocol::kMitsubishiMc: {
            auto problem = mc_address_problem(address, device.mc, language_);
            if (problem || !type) return bad_address(std::move(problem));
            if (auto mismatch = mc_type_problem(address, *type, device.mc, language_)) {
                findings.push_back(
                    {fields.type, ProblemCode::kTypeMismatch, std::move(*mismatch), std::string{type_text}});
            }
            return;
        }
        case Protocol::kOpcUa:
            return bad_address(node_id_problem(address, language_));
        case Protocol::kMqtt:
            return bad_address(mqtt_address_problem(address, language_));
    }
}

const std::vector<std::uint32_t>& RecordChecks::matches(Kind kind, std::string_view entry) {
    auto& known = matches_[static_cast<std::size_t>(kind)];
    const auto [at, is_new] = known.try_emplace(std::string{entry});
    if (!is_new) return at->second;
    const auto& records = plant_.of(kind);
    if (entry.find('*') == std::string_view::npos) {
        if (const auto* record = records.find(entry)) {
            at->second.push_back(static_cast<std::uint32_t>(record - records.all().data()));
        }
        return at->second;
    }
    for (std::size_t i = 0; i < records.size() && glob_tests_left_ > 0; ++i, --glob_tests_left_) {
        if (glob_match(entry, records.all()[i].code())) at->second.push_back(static_cast<std::uint32_t>(i));
    }
    return at->second;
}

const std::vector<std::uint32_t>& RecordChecks::device_of_points() {
    const auto& points = plant_.of(Kind::kPoint).all();
    const auto& devices = plant_.of(Kind::kDevice);
    if (points_indexed_) return device_of_points_;
    points_indexed_ = true;
    device_of_points_.reserve(points.size());
    device_has_points_.resize(devices.size());
    const Record* last = nullptr;
    for (const auto& point : points) {
        const auto& code = cell(point, point_fields().device);
        if (last == nullptr || last->code() != code) last = devices.find(code);
        device_of_points_.push_back(
            last == nullptr ? kNoDevice : static_cast<std::uint32_t>(last - devices.all().data()));
        if (last != nullptr) device_has_points_[device_of_points_.back()] = true;
    }
    return device_of_points_;
}

// As TaskCompiler chooses points (plant.h): those named, and those of a glob that lie on the task's devices.
bool RecordChecks::selects_points(const Record& task) {
    static const auto kDevices = field_at(Kind::kTask, "devices");
    static const auto kPoints = field_at(Kind::kTask, "points");
    const auto& device_of = device_of_points();
    std::vector<bool> chosen(plant_.of(Kind::kDevice).size());
    bool any_point = false;
    for (const auto entry : split_codes(cell(task, kDevices))) {
        for (const auto device : matches(Kind::kDevice, entry)) {
            chosen[device] = true;
            any_point = any_point || device_has_points_[device];
        }
    }
    const bool all_devices = cell(task, kDevices).empty();
    const auto point_entries = split_codes(cell(task, kPoints));
    if (point_entries.empty()) return any_point;
    return std::any_of(point_entries.begin(), point_entries.end(), [&](std::string_view entry) {
        const auto& points = matches(Kind::kPoint, entry);
        if (entry.find('*') == std::string_view::npos || all_devices) return !points.empty();
        return std::any_of(points.begin(), points.end(), [&](std::uint32_t point) {
            return device_of[point] != kNoDevice && chosen[device_of[point]];
        });
    });
}

void RecordChecks::code_list(const Record& record, std::string_view name, Findings& findings) {
    const auto field = field_at(Kind::kTask, name);
    const auto target = schema_of(Kind::kTask).fields[field].refers_to;
    const auto list = cell(record, field);
    for (const auto entry : split_codes(list)) {
        if (target == Kind::kSink && entry == kHistorySink) continue;  // always there
        if (!matches(target, entry).empty()) continue;
        if (entry.find('*') == std::string_view::npos) {
            dangling(target, field, entry, findings);
        } else if (glob_tests_left_ > 0) {
            findings.push_back({field, ProblemCode::kNoMatch,
                                say(language_, "'{}' matches no {}; mend the pattern or take it out",
                                    "“{}”没有匹配任何{}，请修改或删除", shortened(entry, kLongestCode),
                                    noun(target, language_)),
                                std::string{list}});
        }
    }
}

void RecordChecks::task(const Record& record, Findings& findings) {
    static const auto kDevices = field_at(Kind::kTask, "devices");
    static const auto kPoints = field_at(Kind::kTask, "points");
    static const auto kOptions = field_at(Kind::kTask, "options");
    const auto before = findings.size();
    code_list(record, "devices", findings);
    code_list(record, "points", findings);
    const bool lists_fit = findings.size() == before;
    code_list(record, "sinks", findings);
    period(Kind::kTask, record, findings);
    options(Kind::kTask, cell(record, kOptions), task_options(),
            language_ == Language::kChinese ? "任务" : "a task", findings);
    if (cell(record, kDevices).empty() && cell(record, kPoints).empty()) {
        findings.push_back(
            {kDevices, ProblemCode::kEmptyTask,
             say(language_, "the task names neither devices nor points; fill in one of the two columns",
                 "任务既没有设备也没有测点，请至少填写其中一列")});
    } else if (lists_fit && !selects_points(record)) {
        findings.push_back({kDevices, ProblemCode::kEmptyTask,
                            say(language_,
                                "the devices and points of the task select nothing to acquire; add points "
                                "to the devices or change the lists",
                                "任务的设备和测点列表没有选中任何测点，请为设备添加测点或修改列表"),
                            std::string{cell(record, kDevices)}});
    }
}

void RecordChecks::sink(const Record& record, Findings& findings) {
    static const auto kType = field_at(Kind::kSink, "type");
    static const auto kUrl = field_at(Kind::kSink, "url");
    static const auto kOptions = field_at(Kind::kSink, "options");
    const auto type = cell(record, kType);
    if (type.empty()) return;
    if (std::find(rules_.sink_types.begin(), rules_.sink_types.end(), type) == rules_.sink_types.end()) {
        std::string known;
        for (const auto each : rules_.sink_types)
            known += fmt::format("{}{}", known.empty() ? "" : ", ", each);
        findings.push_back({kType, ProblemCode::kUnsupportedSink,
                            say(language_, "this version cannot deliver to {}; it can to: {}",
                                "此版本不支持存储到 {}，可用：{}", type, known),
                            std::string{type}});
    }
    if (record.code() == kHistorySink && type != kHistorySink) {
        findings.push_back({0, ProblemCode::kBadCode,
                            say(language_, "'history' is the embedded history's own code; choose another",
                                "“history”是内置历史库的编码，请使用其他编码"),
                            std::string{record.code()}});
    }
    const auto* known = find_sink_type(type);
    if (known == nullptr) return;
    options(Kind::kSink, cell(record, kOptions), known->options, type, findings);
    const auto url = cell(record, kUrl);
    if (known->schemes.empty() || url.empty() || has_scheme_of(*known, url)) return;
    findings.push_back({kUrl, ProblemCode::kBadUrl,
                        say(language_, "the url of a sink of type {} is written as {}",
                            "{} 类型的存储，其连接地址应写成 {}", type, known->example),
                        std::string{url}});
}

}  // namespace fieldwarden::supervisor
