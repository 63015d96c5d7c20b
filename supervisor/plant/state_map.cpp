#include "supervisor/plant/state_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace fieldwarden::supervisor {

namespace {

using Kind = StateMapFault::Kind;

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kDigits = "0123456789";

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The parts between separators that stand outside double quotes.
std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    bool quoted = false;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const bool at_end = i == text.size();
        if (!at_end && text[i] == '"') quoted = !quoted;
        if (!at_end && (quoted || separators.find(text[i]) == std::string_view::npos)) continue;
        parts.push_back(trim(text.substr(begin, i - begin)));
        begin = i + 1;
    }
    return parts;
}

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= kLongestStateName && std::ranges::all_of(name, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-';
    });
}

// "2", "-1.5", "+3"; nothing else begins with a digit, a sign or a point.
bool looks_like_number(std::string_view text) {
    const auto unsigned_part = text.substr(text.starts_with('-') || text.starts_with('+') ? 1 : 0);
    return unsigned_part.size() < text.size() || unsigned_part.starts_with('.') ||
           kDigits.find(unsigned_part.substr(0, 1)) != std::string_view::npos;
}

std::optional<double> number_of(std::string_view text) {
    if (text.empty() || !looks_like_number(text)) return std::nullopt;
    if (text.front() == '+') text.remove_prefix(1);
    double number = 0;
    const auto* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || rest != end || !(std::abs(number) <= kLargestStateValue)) return std::nullopt;
    return number + 0.0;  // −0 is 0
}

std::string lower(std::string_view text) {
    std::string out{text};
    for (auto& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

std::optional<double> truth_of(std::string_view text) {
    const auto word = lower(text.substr(0, 6));
    if (word == "true") return 1;
    if (word == "false") return 0;
    return std::nullopt;
}

bool holds_control_character(std::string_view text) {
    return std::ranges::any_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7F;
    });
}

// Whether the text would be read as something else, or not at all, without quotes.
bool needs_quotes(std::string_view text) {
    return text.empty() || trim(text).size() != text.size() || looks_like_number(text) || truth_of(text) ||
           text.find_first_of(",;=") != std::string_view::npos || text.find("..") != std::string_view::npos;
}

}  // namespace

class StateMapParser {
  public:
    std::variant<StateMap, StateMapFault> parse(std::string_view text) {
        if (text.size() > kLongestStateMap) return StateMapFault{Kind::kTooLong, {}, {}};
        for (const auto part : split(text, ";\n\r")) {
            if (part.empty()) continue;
            if (!read_state(part)) return std::move(fault_);
        }
        if (!arrange()) return std::move(fault_);
        return std::move(map_);
    }

  private:
    bool fail(Kind kind, std::string_view subject, std::string_view other = {}) {
        fault_ = {kind, std::string{subject}, std::string{other}};
        return false;
    }

    bool read_state(std::string_view part) {
        const auto equals = part.find('=');
        if (equals == std::string_view::npos) return fail(Kind::kNoEquals, part);
        const auto name = trim(part.substr(0, equals));
        if (!is_name(name)) return fail(Kind::kBadName, name);
        const auto word = lower(name);
        if (word == kOnlineState || word == kUnknownState) return fail(Kind::kReservedName, name);
        if (std::ranges::find(map_.states_, name) != map_.states_.end())
            return fail(Kind::kRepeatedName, name);
        if (map_.states_.size() == kMostStates) return fail(Kind::kTooMany, name);
        map_.states_.emplace_back(name);
        map_.text_ += fmt::format("{}{}=", map_.text_.empty() ? "" : "; ", name);
        bool first = true;
        for (const auto value : split(part.substr(equals + 1), ",")) {
            if (value.empty()) return fail(Kind::kMissingValue, name);
            if (!std::exchange(first, false)) map_.text_ += ',';
            if (!read_value(value)) return false;
        }
        return true;
    }

    bool read_value(std::string_view value) {
        if (value.front() == '"') {
            const auto text = value.substr(1, value.size() - std::min<std::size_t>(value.size(), 2));
            const bool closed = value.size() >= 2 && value.back() == '"';
            if (!closed || text.find('"') != std::string_view::npos) return fail(Kind::kBadValue, value);
            return add_text(text, value);
        }
        if (value.find_first_of("\"=") != std::string_view::npos) return fail(Kind::kBadValue, value);
        if (const auto truth = truth_of(value)) {
            map_.text_ += lower(value);
            return add_range(*truth, *truth);
        }
        if (const auto dots = value.find(".."); dots != std::string_view::npos) {
            const auto least = number_of(trim(value.substr(0, dots)));
            const auto most = number_of(trim(value.substr(dots + 2)));
            if (!least || !most) return fail(Kind::kBadValue, value);
            if (*least > *most) return fail(Kind::kReversedRange, value);
            map_.text_ += fmt::format("{}..{}", *least, *most);
            return add_range(*least, *most);
        }
        if (!looks_like_number(value)) return add_text(value, value);
        const auto number = number_of(value);
        if (!number) return fail(Kind::kBadValue, value);
        map_.text_ += fmt::format("{}", *number);
        return add_range(*number, *number);
    }

    bool add_text(std::string_view text, std::string_view value) {
        if (holds_control_character(text)) return fail(Kind::kBadValue, value);
        map_.text_ += needs_quotes(text) ? fmt::format("\"{}\"", text) : std::string{text};
        map_.texts_.push_back({std::string{text}, here()});
        return true;
    }
    bool add_range(double least, double most) {
        map_.ranges_.push_back({least, most, here()});
        return true;
    }
    [[nodiscard]] std::uint32_t here() const { return static_cast<std::uint32_t>(map_.states_.size() - 1); }

    // Sorts, joins what one state has twice, and refuses what two states have.
    bool arrange() {
        std::ranges::sort(map_.ranges_, {}, &StateMap::Range::least);
        std::vector<StateMap::Range> disjoint;
        for (const auto& range : map_.ranges_) {
            if (disjoint.empty() || range.least > disjoint.back().most) {
                disjoint.push_back(range);
                continue;
            }
            auto& before = disjoint.back();
            if (before.state != range.state) return two_states(before.state, range.state);
            before.most = std::max(before.most, range.most);
        }
        map_.ranges_ = std::move(disjoint);
        std::ranges::stable_sort(map_.texts_, {}, &StateMap::Text::text);
        for (std::size_t i = 1; i < map_.texts_.size(); ++i) {
            const auto& before = map_.texts_[i - 1];
            const auto& text = map_.texts_[i];
            if (before.text == text.text && before.state != text.state)
                return two_states(before.state, text.state);
        }
        return true;
    }
    bool two_states(std::uint32_t one, std::uint32_t another) {
        const auto [first, second] = std::minmax(one, another);
        return fail(Kind::kTwoStates, map_.states_[first], map_.states_[second]);
    }

    StateMap map_;
    StateMapFault fault_;
};

std::variant<StateMap, StateMapFault> StateMap::parse(std::string_view text) {
    return StateMapParser{}.parse(text);
}

std::optional<std::string_view> StateMap::state_of_number(double number) const {
    // The last range that begins at or before the number. NaN is before and behind nothing.
    const auto after = std::ranges::upper_bound(ranges_, number, {}, &Range::least);
    if (after == ranges_.begin()) return std::nullopt;
    const auto& range = *std::prev(after);
    if (!(number >= range.least && number <= range.most)) return std::nullopt;
    return states_[range.state];
}

std::optional<std::string_view> StateMap::state_of(const Value& value) const {
    if (const auto* text = std::get_if<std::string>(&value)) {
        const auto found = std::ranges::lower_bound(texts_, *text, {}, &Text::text);
        if (found != texts_.end() && found->text == *text) return states_[found->state];
        const auto plain = trim(*text);
        const auto truth = truth_of(plain);
        const auto number = truth ? truth : number_of(plain);
        return number ? state_of_number(*number) : std::nullopt;
    }
    if (const auto* truth = std::get_if<bool>(&value)) return state_of_number(*truth ? 1 : 0);
    if (const auto* whole = std::get_if<std::int64_t>(&value))
        return state_of_number(static_cast<double>(*whole));
    if (const auto* natural = std::get_if<std::uint64_t>(&value))
        return state_of_number(static_cast<double>(*natural));
    if (const auto* number = std::get_if<double>(&value)) return state_of_number(*number);
    return std::nullopt;
}

}  // namespace fieldwarden::supervisor
