#include "supervisor/alerts/member_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "supervisor/plant/schema.h"

namespace fieldwarden::supervisor {

using proto::Json;

namespace {

bool is_control(char c, bool lines) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && !(lines && (c == '\n' || c == '\t'))) || byte == 0x7f;
}

}  // namespace

const Json* MemberReader::take(std::string_view name) {
    taken_.emplace_back(name);
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void MemberReader::problem(std::string_view name, std::string_view code, std::string message) {
    problems_.push_back({prefix_ + std::string{name}, std::string{code}, std::move(message)});
}

void MemberReader::text(std::string_view name, std::string& field, std::size_t most_bytes, bool lines) {
    const auto* value = take(name);
    if (value == nullptr) return;
    if (!value->is_string()) return problem(name, "bad_value", fmt::format("{} is a text", name));
    const auto& given = value->get_ref<const std::string&>();
    if (given.size() > most_bytes) {
        return problem(name, "too_long", fmt::format("{} has at most {} bytes", name, most_bytes));
    }
    if (std::ranges::any_of(given, [&](char c) { return is_control(c, lines); })) {
        return problem(name, "bad_value", fmt::format("{} holds a control character", name));
    }
    field = given;
}

void MemberReader::code(std::string_view name, std::string& field) {
    const auto* value = take(name);
    if (value == nullptr) return;
    const auto fits = [](const std::string& text) {
        return !text.empty() && text.size() <= kLongestCode && std::ranges::all_of(text, [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                   c == '-' || c == '.';
        });
    };
    // A code of digits alone would be taken for an id in a path.
    const auto only_digits = [](const std::string& text) {
        return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    };
    if (!value->is_string() || !fits(value->get_ref<const std::string&>()) ||
        only_digits(value->get_ref<const std::string&>())) {
        return problem(name, "bad_value",
                       fmt::format("{} is 1 to {} letters, digits, '_', '-' and '.', and more than a number",
                                   name, kLongestCode));
    }
    field = value->get<std::string>();
}

void MemberReader::flag(std::string_view name, bool& field) {
    const auto* value = take(name);
    if (value == nullptr) return;
    if (!value->is_boolean()) return problem(name, "bad_value", fmt::format("{} is true or false", name));
    field = value->get<bool>();
}

void MemberReader::number(std::string_view name, double& field, double least, double most) {
    const auto* value = take(name);
    if (value == nullptr) return;
    const auto given = value->is_number() ? value->get<double>() : std::nan("");
    if (!(given >= least && given <= most)) {
        return problem(name, "bad_value", fmt::format("{} is a number from {:g} to {:g}", name, least, most));
    }
    field = given;
}

void MemberReader::duration(std::string_view name, milliseconds& field, milliseconds least,
                            milliseconds most) {
    const auto* value = take(name);
    if (value == nullptr) return;
    const bool whole =
        value->is_number_integer() && (!value->is_number_unsigned() ||
                                       value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
    if (!whole || value->get<std::int64_t>() < least.count() || value->get<std::int64_t>() > most.count()) {
        return problem(name, "bad_value",
                       fmt::format("{} is a whole number of milliseconds from {} to {}", name, least.count(),
                                   most.count()));
    }
    field = milliseconds{value->get<std::int64_t>()};
}

void MemberReader::time(std::string_view name, UtcTime& field) {
    const auto* value = take(name);
    if (value == nullptr) return;
    const auto given = value->is_string() ? parse_rfc3339(value->get_ref<const std::string&>())
                                          : Result<UtcTime>{make_error(ErrorKind::kInvalidArgument, "")};
    if (!given) {
        return problem(name, "bad_value",
                       fmt::format("{} is a time as RFC 3339 writes it, such as 2026-11-22T08:00:00Z", name));
    }
    field = *given;
}

void MemberReader::globs(std::string_view name, std::vector<std::string>& field, std::size_t most) {
    const auto* value = take(name);
    if (value == nullptr) return;
    const auto fits = [](const Json& each) {
        if (!each.is_string()) return false;
        const auto& text = each.get_ref<const std::string&>();
        return !text.empty() && text.size() <= kLongestCode * 4 &&
               std::ranges::none_of(text, [](char c) { return is_control(c, false); });
    };
    if (!value->is_array() || value->size() > most || !std::ranges::all_of(*value, fits)) {
        return problem(
            name, "bad_value",
            fmt::format("{} is an array of at most {} codes; * matches any characters", name, most));
    }
    field = value->get<std::vector<std::string>>();
}

void MemberReader::finish() {
    constexpr std::size_t kMostShown = 50;
    for (const auto& [name, value] : object_.items()) {
        if (problems_.size() >= kMostShown) return;
        if (std::ranges::find(taken_, name) == taken_.end()) {
            problem(name.substr(0, 64), "unknown_member", "there is no such member here");
        }
    }
}

}  // namespace fieldwarden::supervisor
