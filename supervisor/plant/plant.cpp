#include "supervisor/plant/plant.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

namespace fieldwarden::supervisor {

std::string_view cell_of(Kind kind, const Record& record, std::string_view name) {
    const auto& schema = schema_of(kind);
    const auto index = schema.index_of(name);
    if (index == KindSchema::npos) return {};
    if (index < record.cells.size() && !record.cells[index].empty()) return record.cells[index];
    return schema.fields[index].fallback;
}

std::size_t Records::slot_of(std::string_view code, std::uint32_t& mark) const {
    const auto last = static_cast<std::uint32_t>(slots_.size() - 1);
    const std::uint64_t hash = std::hash<std::string_view>{}(code);
    mark = static_cast<std::uint32_t>(hash >> 32) & ~last;
    for (auto slot = static_cast<std::uint32_t>(hash) & last;; slot = (slot + 1) & last) {
        const auto held = slots_[slot];
        if (held == 0) return slot;
        if ((held & ~last) == mark && records_[(held & last) - 1].code() == code) return slot;
    }
}

// Room for `count` codes with at least a third of the slots free.
void Records::grow(std::size_t count) {
    constexpr std::size_t kFewest = 8;
    const auto wanted = std::bit_ceil(std::max(kFewest, count + count / 2 + 1));
    if (wanted <= slots_.size()) return;
    slots_.assign(wanted, 0);
    index_all();
}

void Records::index_all() {
    std::fill(slots_.begin(), slots_.end(), 0);
    std::uint32_t mark = 0;
    for (std::size_t i = 0; i < records_.size(); ++i) {
        const auto slot = slot_of(records_[i].code(), mark);
        slots_[slot] = mark | static_cast<std::uint32_t>(i + 1);
    }
}

void Records::reserve(std::size_t count) {
    records_.reserve(count);
    grow(count);
}

bool Records::add(Record&& record) {
    grow(records_.size() + 1);
    std::uint32_t mark = 0;
    auto& slot = slots_[slot_of(record.code(), mark)];
    if (slot != 0) return false;
    records_.push_back(std::move(record));
    slot = mark | static_cast<std::uint32_t>(records_.size());
    return true;
}

void Records::put(Record record) {
    if (const auto* known = find(record.code())) {
        records_[static_cast<std::size_t>(known - records_.data())] = std::move(record);
    } else {
        add(std::move(record));
    }
}

bool Records::remove(std::string_view code) {
    const std::string name{code};
    return remove_all({&name, 1}) == 1;
}

std::size_t Records::remove_all(std::span<const std::string> codes) {
    std::unordered_set<const Record*> gone;
    for (const auto& code : codes) {
        if (const auto* record = find(code)) gone.insert(record);
    }
    if (gone.empty()) return 0;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < records_.size(); ++i) {
        if (gone.contains(&records_[i])) continue;
        if (kept != i) records_[kept] = std::move(records_[i]);
        ++kept;
    }
    records_.resize(kept);
    index_all();
    return gone.size();
}

const Record* Records::find(std::string_view code) const {
    if (slots_.empty()) return nullptr;
    std::uint32_t mark = 0;
    const auto held = slots_[slot_of(code, mark)];
    return held == 0 ? nullptr : &records_[(held & (slots_.size() - 1)) - 1];
}

const Record* Records::find_id(std::int64_t id) const {
    const auto found =
        std::find_if(records_.begin(), records_.end(), [&](const Record& record) { return record.id == id; });
    return found == records_.end() ? nullptr : &*found;
}

namespace {

// Blanks and separators of code lists, as UTF-8: people type them with a Chinese keyboard too.
constexpr std::array<std::string_view, 5> kBlanks{" ", "\t", "\r", "\n", "\u3000"};
constexpr std::array<std::string_view, 3> kCommas{",", "\uff0c", "\u3001"};

std::string_view trimmed(std::string_view text) {
    for (bool again = true; again;) {
        again = false;
        for (const auto blank : kBlanks) {
            if (text.starts_with(blank)) {
                text.remove_prefix(blank.size());
                again = true;
            }
            if (text.ends_with(blank)) {
                text.remove_suffix(blank.size());
                again = true;
            }
        }
    }
    return text;
}

}  // namespace

std::vector<std::string_view> split_codes(std::string_view code_list) {
    std::vector<std::string_view> codes;
    while (!code_list.empty()) {
        std::size_t end = code_list.size();
        std::size_t next = end;
        for (const auto comma : kCommas) {
            if (const auto at = code_list.find(comma); at < end) {
                end = at;
                next = at + comma.size();
            }
        }
        if (const auto code = trimmed(code_list.substr(0, end)); !code.empty()) codes.push_back(code);
        code_list.remove_prefix(next);
    }
    return codes;
}

// Greedy with one point to come back to: linear for every glob with one star, never exponential.
bool glob_match(std::string_view glob, std::string_view text) {
    std::size_t g = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t star_text = 0;
    while (t < text.size()) {
        if (g < glob.size() && glob[g] == '*') {
            star = g++;
            star_text = t;
        } else if (g < glob.size() && glob[g] == text[t]) {
            ++g;
            ++t;
        } else if (star != std::string_view::npos) {
            g = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    return glob.find_first_not_of('*', g) == std::string_view::npos;
}

std::vector<const Record*> match_codes(const Records& records, std::string_view code_list) {
    std::vector<const Record*> matched;
    for (const auto code : split_codes(code_list)) {
        if (code.find('*') == std::string_view::npos) {
            if (const auto* record = records.find(code)) matched.push_back(record);
            continue;
        }
        for (const auto& record : records.all()) {
            if (glob_match(code, record.code())) matched.push_back(&record);
        }
    }
    // Records lie in one vector in plant order, so their addresses are that order.
    std::sort(matched.begin(), matched.end());
    matched.erase(std::unique(matched.begin(), matched.end()), matched.end());
    return matched;
}

}  // namespace fieldwarden::supervisor
