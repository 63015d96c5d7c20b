#include "supervisor/workbook/cell_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "common/options.h"
#include "common/plant_types.h"
#include "supervisor/plant/plant.h"
#include "supervisor/plant/run_plan.h"
#include "supervisor/plant/state_map.h"
#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

namespace {

struct Input {
    const Field& field;
    std::size_t position;
    std::string_view text;  // trimmed, half-width unless free text
    CellKind kind;
    Language language;
    std::string& out;
    Findings& findings;

    void refuse(ProblemCode code, std::string message) const {
        findings.push_back({position, code, std::move(message), std::string{text}});
    }
};

constexpr auto kCodeCharacters = [] {
    std::array<bool, 256> allowed{};
    for (const char c :
         std::string_view{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"}) {
        allowed[static_cast<unsigned char>(c)] = true;
    }
    return allowed;
}();

bool is_code_character(char c) {
    return kCodeCharacters[static_cast<unsigned char>(c)];
}

// A column of codes that once was a column of floating-point numbers ("1001.0") means 1001.
std::string_view without_point_zero(std::string_view code) {
    const auto point = code.find('.');
    if (point == 0 || point == std::string_view::npos || point + 1 == code.size()) return code;
    const bool digits = code.substr(0, point).find_first_not_of("0123456789") == std::string_view::npos;
    const bool zeros = code.substr(point + 1).find_first_not_of('0') == std::string_view::npos;
    return digits && zeros ? code.substr(0, point) : code;
}

void read_code(const Input& in) {
    const auto code = without_point_zero(in.text);
    if (code.size() > kLongestCode || !std::all_of(code.begin(), code.end(), is_code_character)) {
        in.refuse(ProblemCode::kBadCode,
                  say(in.language, "a code has 1 to {} letters, digits, '_', '-' or '.', and no blanks",
                      "编码由 1 到 {} 个字母、数字、“_”、“-”或“.”组成，不含空格", kLongestCode));
        return;
    }
    in.out = code;
}

void read_text(const Input& in) {
    if (in.text.size() > kLongestText && characters(in.text) > kLongestText) {
        in.refuse(ProblemCode::kTooLong,
                  say(in.language, "the text has {} characters; at most {} are kept. Shorten it",
                      "文字有 {} 个字符，最多 {} 个，请缩短", characters(in.text), kLongestText));
        return;
    }
    bool line_ends_of_windows = false;
    for (const char c : in.text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7F) continue;
        if (c != '\n' && c != '\t' && c != '\r') {
            in.refuse(ProblemCode::kBadValue,
                      say(in.language, "the text holds a control character; type it again",
                          "文字中含有控制字符，请重新输入"));
            return;
        }
        line_ends_of_windows = line_ends_of_windows || c == '\r';
    }
    in.out = in.text;
    if (line_ends_of_windows) std::erase(in.out, '\r');
}

void read_integer(const Input& in) {
    const auto number = parse_number(in.text);
    constexpr double kExact = 1e15;
    if (!number || *number != std::trunc(*number) || std::abs(*number) >= kExact) {
        in.refuse(ProblemCode::kBadValue,
                  say(in.language, "a whole number is wanted, without unit or separators, as in 1000",
                      "此处应为整数，不带单位和分隔符，例如 1000"));
        return;
    }
    in.out = number_text(*number);
}

void read_number(const Input& in) {
    if (in.kind == CellKind::kNumber) {
        in.out = in.text;  // the reader has made it canonical
        return;
    }
    const auto number = parse_number(in.text);
    if (!number) {
        in.refuse(
            ProblemCode::kBadValue,
            say(in.language, "a number is wanted, with a point and without unit or separators, as in 0.1",
                "此处应为数字，使用小数点，不带单位和分隔符，例如 0.1"));
        return;
    }
    in.out = number_text(*number);
}

void read_boolean(const Input& in) {
    constexpr std::array<std::string_view, 9> kTrue{"true", "1", "yes", "y", "on", "是", "真", "√", "开"};
    constexpr std::array<std::string_view, 9> kFalse{"false", "0", "no", "n", "off", "否", "假", "×", "关"};
    const auto text = lower_ascii(in.text);
    if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) {
        in.out = "true";
    } else if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) {
        in.out = "false";
    } else {
        in.refuse(ProblemCode::kBadValue, say(in.language, "write true or false (also yes/no, 1/0, 是/否)",
                                              "请填写 是/否（或 true/false、yes/no、1/0）"));
    }
}

// Year, month and day in this order, with any of the separators people use; a time behind it is dropped.
bool read_date_parts(std::string_view text, unsigned (&parts)[3]) {
    if (text.size() == 8 && text.find_first_not_of("0123456789") == std::string_view::npos) {
        const auto digits = [&](std::size_t from, std::size_t count, unsigned& into) {
            std::from_chars(text.data() + from, text.data() + from + count, into);
        };
        digits(0, 4, parts[0]);
        digits(4, 2, parts[1]);
        digits(6, 2, parts[2]);
        return true;
    }
    constexpr std::array<std::string_view, 6> kSeparators{"-", "/", ".", "年", "月", "日"};
    for (std::size_t i = 0; i < 3; ++i) {
        const auto* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, parts[i]);
        const auto length = static_cast<std::size_t>(rest - text.data());
        if (error != std::errc{} || (i == 0 && length != 4) || (i > 0 && length > 2)) return false;
        text.remove_prefix(length);
        if (i == 2) break;
        const auto separator = std::find_if(kSeparators.begin(), kSeparators.end(),
                                            [&](std::string_view each) { return text.starts_with(each); });
        if (separator == kSeparators.end()) return false;
        text.remove_prefix(separator->size());
    }
    if (text.starts_with("日")) text.remove_prefix(std::string_view{"日"}.size());
    return text.empty() || text.front() == ' ' || text.front() == 'T';
}

void read_date(const Input& in) {
    unsigned parts[3] = {0, 0, 0};
    const bool read = read_date_parts(in.text, parts);
    const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(parts[0])},
                                           std::chrono::month{parts[1]}, std::chrono::day{parts[2]}};
    if (!read || !date.ok() || parts[0] < 1900) {
        in.refuse(ProblemCode::kBadValue,
                  say(in.language, "a date is wanted: format the cell as a date or write 2026-03-31",
                      "此处应为日期：请将单元格设为日期格式，或填写 2026-03-31"));
        return;
    }
    in.out = fmt::format("{:04}-{:02}-{:02}", parts[0], parts[1], parts[2]);
}

// "Modbus TCP", "modbus-tcp" and "modbus_tcp" are one choice.
std::string folded_choice(std::string_view text) {
    std::string out = lower_ascii(text);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c == ' ' || c == '-'; }, '_');
    return out;
}

std::string with_commas(std::string_view choices) {
    std::string out;
    for (const char c : choices) out += c == '|' ? std::string{", "} : std::string{c};
    return out;
}

void read_choice(const Input& in) {
    const auto wanted = folded_choice(in.text);
    NearestMatch nearest{wanted};
    for (std::string_view rest = in.field.choices; !rest.empty();) {
        const auto bar = std::min(rest.find('|'), rest.size());
        const auto choice = rest.substr(0, bar);
        if (wanted.size() == choice.size() && wanted == lower_ascii(choice)) {
            in.out = choice;
            return;
        }
        nearest.offer(choice);
        rest.remove_prefix(std::min(bar + 1, rest.size()));
    }
    const auto guess = nearest.best().empty()
                           ? std::string{}
                           : say(in.language, "; did you mean '{}'?", "，是否应为“{}”？", nearest.best());
    in.refuse(ProblemCode::kBadValue, say(in.language, "use one of {}{}", "请使用以下之一：{}{}",
                                          with_commas(in.field.choices), guess));
}

void read_data_type(const Input& in) {
    auto text = lower_ascii(in.text);
    std::erase(text, ' ');
    if (const auto type = parse_data_type(text)) {
        in.out = format_data_type(*type);
        return;
    }
    NearestMatch nearest{text};
    for (const auto& entry : EnumNames<BaseType>::table) nearest.offer(entry.name);
    const auto guess = nearest.best().empty()
                           ? std::string{}
                           : say(in.language, "; did you mean '{}'?", "，是否应为“{}”？", nearest.best());
    in.refuse(ProblemCode::kBadValue,
              say(in.language, "use one of {}; a string with its length of 1 to {} bytes, as in string(16){}",
                  "请使用以下之一：{}；字符串须注明 1 到 {} 字节的长度，例如 string(16){}",
                  all_names<BaseType>(), kLongestString, guess));
}

void read_address(const Input& in) {
    constexpr std::size_t kLongestAddress = 1000;
    if (in.text.size() > kLongestAddress) {
        in.refuse(ProblemCode::kTooLong,
                  say(in.language, "an address has at most {} bytes", "地址最多 {} 字节", kLongestAddress));
        return;
    }
    // 40001.10, bit 10, typed into a cell that is not text has become 40001.1, bit 1.
    if (in.kind == CellKind::kNumber && in.text.ends_with(".1")) {
        in.findings.push_back(
            {in.position, ProblemCode::kAmbiguousValue,
             say(in.language,
                 "the cell is a number, so bit 10 (.10) would have become bit 1 (.1); format the "
                 "column as text to be sure",
                 "单元格是数字格式，第 10 位（.10）会变成第 1 位（.1），请将该列设为文本格式"),
             std::string{in.text}});
    }
    in.out = in.text;
}

void read_code_list(const Input& in) {
    if (in.text.size() > kLongestList) {
        in.refuse(ProblemCode::kTooLong,
                  say(in.language, "the list has more than {} bytes; use globs such as PUMP_*",
                      "列表超过 {} 字节，请使用通配符，例如 PUMP_*", kLongestList));
        return;
    }
    std::string list;
    for (const auto item : split_codes(in.text)) {
        const auto code = without_point_zero(item);
        const bool plain =
            std::all_of(code.begin(), code.end(), [](char c) { return c == '*' || is_code_character(c); });
        if (!plain || code.size() > kLongestCode) {
            in.findings.push_back(
                {in.position, ProblemCode::kBadCode,
                 say(in.language, "'{}' is no code; separate codes by commas, * stands for any text",
                     "“{}”不是编码；编码之间用逗号分隔，* 代表任意字符", shortened(code, 64)),
                 std::string{in.text}});
            continue;
        }
        if (!list.empty()) list += ',';
        list += code;
    }
    in.out = std::move(list);
}

void read_options(const Input& in) {
    const auto options = in.text.size() <= kLongestList
                             ? parse_options(in.text)
                             : Result<Options>{make_error(ErrorKind::kTooLarge, "too long")};
    if (options) {
        in.out = format_options(*options);
        return;
    }
    // The parser's own words quote the cell, which may hold a secret.
    in.refuse(
        ProblemCode::kBadOptions,
        say(in.language, "write key=value; key=value, each key once (or a JSON object without nested values)",
            "请写成 键=值; 键=值，每个键一次（或不含嵌套的 JSON 对象）"));
}

void read_url(const Input& in) {
    if (in.text.size() > kLongestList || in.text.find_first_of(" \t\r\n") != std::string_view::npos) {
        in.refuse(ProblemCode::kBadUrl, say(in.language, "a URL has no blanks and at most {} bytes",
                                            "URL 不含空格，最多 {} 字节", kLongestList));
        return;
    }
    in.out = in.text;
}

void read_schedule(const Input& in) {
    if (const auto schedule = parse_schedule(in.text); !schedule) {
        in.refuse(ProblemCode::kBadSchedule,
                  in.language == Language::kChinese
                      ? std::string{"请写成 start=0 8 * * 1-5; stop=0 18 * * 1-5（分 时 日 月 周）"}
                      : schedule.error().message);
        return;
    }
    in.out = in.text;
}

void read_run_limit(const Input& in) {
    const auto text = lower_ascii(in.text);
    if (const auto limit = parse_run_limit(text); !limit) {
        in.refuse(ProblemCode::kBadRunLimit,
                  say(in.language, "leave it empty to run continuously, or write cycles=100 or duration=1h",
                      "留空表示连续运行，或填写 cycles=100、duration=1h"));
        return;
    }
    in.out = text;
}

std::string state_map_help(const StateMapFault& fault, Language language) {
    const auto subject = shortened(fault.subject, 64);
    switch (fault.kind) {
        case StateMapFault::Kind::kTooLong:
            return say(language,
                       "the map has more than {} bytes; join neighbouring values to ranges (10..19)",
                       "映射超过 {} 字节，请用区间合并相邻的值（10..19）", kLongestStateMap);
        case StateMapFault::Kind::kTooMany:
            return say(language,
                       "there are more than {} states, '{}' is one too many; give several values one state",
                       "状态超过 {} 个，“{}”已超出，请合并状态", kMostStates, subject);
        case StateMapFault::Kind::kNoEquals:
            return say(language, "'{}' has no '='; write state=value,value; state=value",
                       "“{}”缺少“=”；请写成 状态=值,值; 状态=值", subject);
        case StateMapFault::Kind::kBadName:
            return say(language, "'{}' is no name of a state: use 1 to {} letters, digits, '_' or '-'",
                       "“{}”不是状态名：请使用 1 到 {} 个英文字母、数字、“_”或“-”", subject,
                       kLongestStateName);
        case StateMapFault::Kind::kReservedName:
            return say(language, "'{}' is counted for every device by itself; give the state another name",
                       "“{}”由系统自动统计，请使用其他状态名", subject);
        case StateMapFault::Kind::kRepeatedName:
            return say(language, "state '{0}' is named twice; write all its values after one name: {0}=1,2",
                       "状态“{0}”出现了两次，请把它的值写在一起：{0}=1,2", subject);
        case StateMapFault::Kind::kMissingValue:
            return say(language,
                       "a value of state '{}' is missing; write the values after '=', separated by commas",
                       "状态“{}”缺少值，请在“=”后填写，用逗号分隔", subject);
        case StateMapFault::Kind::kBadValue:
            return say(
                language,
                "'{}' is no value: write a number (2), a range (10..19), true, false, or a text, in double "
                "quotes when it begins with a digit or holds , ; = or ..",
                "“{}”不是有效的值：请填写数字（2）、区间（10..19）、true、false 或文字；"
                "以数字开头或含有 , ; = .. 的文字请加英文双引号",
                subject);
        case StateMapFault::Kind::kReversedRange:
            return say(language, "the range '{}' goes from more to less; turn it round",
                       "区间“{}”从大到小，请调换两端", subject);
        case StateMapFault::Kind::kTwoStates:
            return say(language, "the states '{}' and '{}' have a value in common; give each value one state",
                       "状态“{}”和“{}”有相同的值，每个值只能属于一个状态", subject,
                       shortened(fault.other, 64));
    }
    return {};
}

void read_state_map(const Input& in) {
    const auto parsed = StateMap::parse(in.text);
    if (const auto* fault = std::get_if<StateMapFault>(&parsed)) {
        const bool too_long = fault->kind == StateMapFault::Kind::kTooLong;
        in.refuse(too_long ? ProblemCode::kTooLong : ProblemCode::kBadStateMap,
                  state_map_help(*fault, in.language));
        return;
    }
    // Canonical text may need quotes that the typed one did without; it is kept as typed then.
    const auto& text = std::get<StateMap>(parsed).text();
    in.out = text.size() <= kLongestStateMap ? text : std::string{in.text};
}

void read_by_type(const Input& in) {
    switch (in.field.type) {
        case FieldType::kCode:
        case FieldType::kReference:
        case FieldType::kPointField:
            return read_code(in);
        case FieldType::kText:
            return read_text(in);
        case FieldType::kInteger:
            return read_integer(in);
        case FieldType::kNumber:
            return read_number(in);
        case FieldType::kBoolean:
            return read_boolean(in);
        case FieldType::kDate:
            return read_date(in);
        case FieldType::kChoice:
            return read_choice(in);
        case FieldType::kDataType:
            return read_data_type(in);
        case FieldType::kAddress:
            return read_address(in);
        case FieldType::kCodeList:
            return read_code_list(in);
        case FieldType::kOptions:
            return read_options(in);
        case FieldType::kUrl:
            return read_url(in);
        case FieldType::kSchedule:
            return read_schedule(in);
        case FieldType::kRunLimit:
            return read_run_limit(in);
        case FieldType::kStateMap:
            return read_state_map(in);
    }
}

}  // namespace

void canonical_cell(const Field& field, std::size_t position, const Cell& cell, Language language,
                    std::string& out, Findings& findings) {
    out.clear();
    if (cell.kind == CellKind::kError || cell.kind == CellKind::kFormula) {
        findings.push_back(
            {position, ProblemCode::kBadValue,
             cell.kind == CellKind::kError
                 ? say(language, "the cell shows the error {}; mend its formula or type the value",
                       "单元格显示错误 {}，请修正公式或直接填写值", shortened(cell.text, 40))
                 : say(language,
                       "the formula has no stored result; open the file in a spreadsheet program and save it",
                       "公式没有保存计算结果，请用电子表格软件打开并保存"),
             std::string{cell.text}});
        return;
    }
    auto text = trimmed(cell.text);
    if (text.empty()) return;
    std::string narrow;
    // Free text keeps its full-width forms; in everything else they are slips of a Chinese keyboard.
    if (field.type != FieldType::kText && has_full_width(text)) {
        const bool may_quote = field.type == FieldType::kOptions || field.type == FieldType::kStateMap;
        narrow = half_width(text, may_quote);
        text = trimmed(narrow);
    }
    read_by_type({field, position, text, cell.kind, language, out, findings});
}

void canonical_text(const Field& field, std::size_t position, std::string_view text, Language language,
                    std::string& out, Findings& findings) {
    if (!valid_utf8(text)) {
        out.clear();
        findings.push_back(
            {position, ProblemCode::kBadValue, say(language, "the text is not UTF-8", "文字不是 UTF-8")});
        return;
    }
    canonical_cell(field, position, {text, 0, CellKind::kText}, language, out, findings);
}

}  // namespace fieldwarden::supervisor
