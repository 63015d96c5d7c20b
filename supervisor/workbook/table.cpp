#include "supervisor/workbook/table.h"

#include <algorithm>
#include <cstring>

#include "supervisor/workbook/limits.h"

namespace fieldwarden::supervisor {

std::span<const Cell> Sheet::cells_of(std::size_t index) const {
    const std::size_t begin = rows[index].first_cell;
    const std::size_t end = index + 1 < rows.size() ? rows[index + 1].first_cell : cells.size();
    return std::span{cells}.subspan(begin, end - begin);
}

std::string_view TextArena::store(std::string_view text) {
    constexpr std::size_t kChunk = 256 * 1024;
    if (text.empty()) return {};
    if (text.size() > left_) {
        const auto size = std::max(kChunk, text.size());
        chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
        next_ = chunks_.back().get();
        left_ = size;
    }
    std::memcpy(next_, text.data(), text.size());
    const std::string_view kept{next_, text.size()};
    next_ += text.size();
    left_ -= text.size();
    bytes_ += text.size();
    return kept;
}

std::string column_letters(std::uint32_t column) {
    std::string letters;
    for (std::uint64_t rest = column + 1ULL; rest > 0; rest = (rest - 1) / 26) {
        letters.insert(letters.begin(), static_cast<char>('A' + (rest - 1) % 26));
    }
    return letters;
}

std::optional<std::uint32_t> column_of_reference(std::string_view reference) {
    std::uint32_t column = 0;
    std::size_t letters = 0;
    for (; letters < reference.size(); ++letters) {
        const char c = static_cast<char>(reference[letters] & ~0x20);
        if (c < 'A' || c > 'Z') break;
        if (letters == 3) return std::nullopt;
        column = column * 26 + static_cast<std::uint32_t>(c - 'A') + 1;
    }
    if (letters == 0 || column > kExcelColumns) return std::nullopt;
    return column - 1;
}

}  // namespace fieldwarden::supervisor
