#include "supervisor/plant/plant.h"

#include <algorithm>
#include <unordered_set>

namespace fieldwarden::supervisor {

std::string_view cell_of(Kind kind, const Record& record, std::string_view name) {
    const auto& schema = schema_of(kind);
    const auto index = schema.index_of(name);
    if (index == KindSchema::npos) return {};
    if (index < record.cells.size() && !record.cells[index].empty()) return record.cells[index];
    return schema.fields[index].fallback;
}

void Records::reserve(std::size_t count) {
    records_.reserve(count);
    by_code_.reserve(count);
}

bool Records::add(Record&& record) {
    if (!by_code_.try_emplace(record.code(), records_.size()).second) return false;
    records_.push_back(std::move(record));
    return true;
}

void Records::put(Record record) {
    const auto [at, is_new] = by_code_.try_emplace(record.code(), records_.size());
    if (is_new) {
        records_.push_back(std::move(record));
    } else {
        records_[at->second] = std::move(record);
    }
}

bool Records::remove(std::string_view code) {
    const std::string name{code};
    return remove_all({&name, 1}) == 1;
}

std::size_t Records::remove_all(std::span<const std::string> codes) {
    std::unordered_set<std::size_t> gone;
    for (const auto& code : codes) {
        if (const auto found = by_code_.find(code); found != by_code_.end()) {
            gone.insert(found->second);
            by_code_.erase(found);
        }
    }
    if (gone.empty()) return 0;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < records_.size(); ++i) {
        if (gone.contains(i)) continue;
        if (kept != i) {
            by_code_.find(records_[i].code())->second = kept;
            records_[kept] = std::move(records_[i]);
        }
        ++kept;
    }
    records_.resize(kept);
    return gone.size();
}

const Record* Records::find(std::string_view code) const {
    const auto found = by_code_.find(code);
    return found == by_code_.end() ? nullptr : &records_[found->second];
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
