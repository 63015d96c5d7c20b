#include "supervisor/gateway/api/record_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/options.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

Json number_json(std::string_view cell) {
    std::int64_t whole = 0;
    const auto* end = cell.data() + cell.size();
    if (const auto [rest, error] = std::from_chars(cell.data(), end, whole);
        error == std::errc{} && rest == end) {
        return whole;
    }
    double number = 0;
    if (const auto [rest, error] = std::from_chars(cell.data(), end, number);
        error == std::errc{} && rest == end) {
        return number;
    }
    return std::string(cell);
}

Json options_json(std::string_view cell) {
    const auto options = parse_options(cell);
    if (!options) return Json::object();
    Json json = Json::object();
    for (const auto& [name, value] : *options)
        json[name] = is_secret_option(name) ? std::string(kSecretMask) : value;
    return json;
}

Json cell_json(const Field& field, std::string_view cell) {
    switch (field.type) {
        case FieldType::kInteger:
        case FieldType::kNumber:
            return cell.empty() ? Json(nullptr) : number_json(cell);
        case FieldType::kBoolean:
            return cell.empty() ? Json(nullptr) : Json(cell == "true");
        case FieldType::kCodeList: {
            Json codes = Json::array();
            for (const auto code : split_codes(cell)) codes.push_back(code);
            return codes;
        }
        case FieldType::kOptions:
            return options_json(cell);
        case FieldType::kUrl:
        case FieldType::kAddress:
            return masked_cell(field, cell);
        case FieldType::kCode:
        case FieldType::kText:
        case FieldType::kDate:
        case FieldType::kChoice:
        case FieldType::kDataType:
        case FieldType::kReference:
        case FieldType::kSchedule:
        case FieldType::kRunLimit:
        case FieldType::kPointField:
        case FieldType::kStateMap:
            return cell.empty() ? Json(nullptr) : Json(cell);
    }
    return nullptr;
}

constexpr std::size_t kMostFieldErrors = 100;

// What a member turns out to be: the cell's text, or why it does not fit.
using Cell = Result<std::string>;

Error wrong(std::string message) {
    return make_error(ErrorKind::kInvalidArgument, std::move(message));
}

Cell text_cell(const Json& value) {
    if (!value.is_string()) return wrong("a text");
    return value.get<std::string>();
}

Cell integer_cell(const Json& value) {
    if (value.is_number_unsigned()) return fmt::format("{}", value.get<std::uint64_t>());
    if (value.is_number_integer()) return fmt::format("{}", value.get<std::int64_t>());
    // 1000.0 is a whole number in the eyes of every JSON writer but not of every parser.
    if (value.is_number_float()) {
        const double number = value.get<double>();
        if (std::trunc(number) == number && std::abs(number) < 1e15) {
            return fmt::format("{}", static_cast<std::int64_t>(number));
        }
    }
    return wrong("a whole number");
}

Cell number_cell(const Json& value) {
    if (value.is_number_integer()) return integer_cell(value);
    if (!value.is_number() || !std::isfinite(value.get<double>())) return wrong("a number");
    return fmt::format("{}", value.get<double>());
}

Cell code_list_cell(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_array()) return wrong("an array of codes");
    std::string cell;
    for (const auto& code : value) {
        if (!code.is_string() || code.get_ref<const std::string&>().find(',') != std::string::npos) {
            return wrong("an array of codes");
        }
        if (!cell.empty()) cell += ',';
        cell += code.get_ref<const std::string&>();
    }
    return cell;
}

Cell options_cell(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_object()) return wrong("an object, or a text \"name=value; name=value\"");
    Options options;
    for (const auto& [name, option] : value.items()) {
        if (option.is_null()) continue;
        if (option.is_structured()) return wrong("an object of texts, numbers and booleans");
        options[name] = option.is_string() ? option.get<std::string>() : option.dump();
    }
    return format_options(options);
}

Cell cell_from_json(FieldType type, const Json& value) {
    if (value.is_null()) return std::string{};
    switch (type) {
        case FieldType::kInteger:
            return integer_cell(value);
        case FieldType::kNumber:
            return number_cell(value);
        case FieldType::kBoolean:
            if (!value.is_boolean()) return wrong("true or false");
            return std::string(value.get<bool>() ? "true" : "false");
        case FieldType::kCodeList:
            return code_list_cell(value);
        case FieldType::kOptions:
            return options_cell(value);
        case FieldType::kUrl:
        case FieldType::kAddress:
        case FieldType::kCode:
        case FieldType::kText:
        case FieldType::kDate:
        case FieldType::kChoice:
        case FieldType::kDataType:
        case FieldType::kReference:
        case FieldType::kSchedule:
        case FieldType::kRunLimit:
        case FieldType::kPointField:
        case FieldType::kStateMap:
            return text_cell(value);
    }
    return std::string{};
}

}  // namespace

Json record_json(Kind kind, const Record& record) {
    const auto& schema = schema_of(kind);
    Json json{{"id", record.id}};
    for (const auto& field : schema.fields) {
        json[std::string(field.name)] = cell_json(field, cell_of(kind, record, field.name));
    }
    return json;
}

std::vector<std::string> cells_from_json(Kind kind, const Json& body, const Record* stored,
                                         std::vector<FieldError>& errors) {
    const auto& schema = schema_of(kind);
    auto cells = stored ? stored->cells.strings() : std::vector<std::string>{};
    cells.resize(schema.fields.size());
    for (const auto& [name, value] : body.items()) {
        if (errors.size() >= kMostFieldErrors) break;
        if (name == "id") {
            // Sent back as it was shown, it says nothing; anything else would be lost silently.
            if (!stored || value != stored->id) {
                errors.push_back(
                    {"id", "bad_value", "the id is given by the server and does not change", shown(value)});
            }
            continue;
        }
        const auto index = schema.index_of(name);
        if (index == KindSchema::npos) {
            errors.push_back({name.substr(0, kLongestCode), "unknown_member",
                              fmt::format("a {} has no such field", schema.noun), shown(value)});
            continue;
        }
        const auto& field = schema.fields[index];
        auto cell = cell_from_json(field.type, value);
        if (!cell) {
            // A refused options or URL cell may hold a secret: its value is not repeated.
            const bool secret = field.type == FieldType::kOptions || field.type == FieldType::kUrl;
            errors.push_back({name, "bad_value", fmt::format("{} is {}", name, cell.error().message),
                              secret ? std::string{} : shown(value)});
            continue;
        }
        // What a GET shows for an empty cell, sent back unchanged, leaves it empty.
        const bool as_shown = cells[index].empty() && *cell == field.fallback;
        if (!as_shown) cells[index] = std::move(*cell);
    }
    return cells;
}

namespace {

// By a member's name: numbers by value, everything else by text.
Place place_of(Kind kind, const Record& record, std::string_view sort) {
    if (sort.empty() || sort == "id") return {nullptr, record.id};
    const auto& schema = schema_of(kind);
    const auto& field = schema.fields[schema.index_of(sort)];
    const auto cell = cell_of(kind, record, field.name);
    if (field.type == FieldType::kInteger || field.type == FieldType::kNumber) {
        return {cell.empty() ? Json(nullptr) : Json(std::strtod(std::string(cell).c_str(), nullptr)),
                record.id};
    }
    // The order must not tell what is hidden in an address.
    return {field.type == FieldType::kAddress ? sort_text(masked_cell(field, cell)) : sort_text(cell),
            record.id};
}

}  // namespace

RecordPage page_of_records(Kind kind, std::vector<const Record*> records, const ListQuery& query) {
    if (!query.sort.empty()) {
        std::vector<std::pair<Place, const Record*>> placed;
        placed.reserve(records.size());
        for (const auto* record : records) placed.emplace_back(place_of(kind, *record, query.sort), record);
        std::sort(placed.begin(), placed.end(), [&](const auto& a, const auto& b) {
            return query.descending ? before(b.first, a.first) : before(a.first, b.first);
        });
        for (std::size_t i = 0; i < records.size(); ++i) records[i] = placed[i].second;
    }
    const auto at = [&](std::size_t i) { return place_of(kind, *records[i], query.sort); };
    const auto cut =
        cut_page(records.size(), query.page.page, query.page.page_size, query.after, query.descending, at);
    RecordPage page;
    page.total = records.size();
    if (cut.end < records.size() && cut.end > cut.begin) page.last = at(cut.end - 1);
    records.resize(cut.end);
    records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(cut.begin));
    page.records = std::move(records);
    return page;
}

}  // namespace fieldwarden::supervisor::gateway
