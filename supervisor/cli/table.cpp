#include "supervisor/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "supervisor/cli/text.h"

namespace fieldwarden::supervisor::cli {

namespace {

constexpr std::size_t kGap = 2;

std::string_view code_of(Style style) {
    switch (style) {
        case Style::kPlain:
            return {};
        case Style::kGood:
            return "32";
        case Style::kWarning:
            return "33";
        case Style::kBad:
            return "31";
        case Style::kDim:
            return "2";
        case Style::kBold:
            return "1";
    }
    return {};
}

}  // namespace

std::string styled(std::string text, Style style, bool colour) {
    if (!colour || style == Style::kPlain || text.empty()) return text;
    return fmt::format("\x1b[{}m{}\x1b[0m", code_of(style), text);
}

void Table::add(std::vector<Cell> cells) {
    assert(cells.size() <= columns_.size());
    cells.resize(columns_.size());
    for (auto& cell : cells) cell.text = printable(cell.text);
    rows_.push_back(std::move(cells));
}

std::vector<std::optional<std::size_t>> Table::widths(std::optional<std::size_t> width) const {
    std::vector<std::optional<std::size_t>> wide;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t widest = display_width(columns_[i].title);
        for (const auto& row : rows_) widest = std::max(widest, display_width(row[i].text));
        wide.emplace_back(widest);
    }
    if (!width) return wide;
    const auto least = [&](std::size_t i) {
        return columns_[i].shrinks ? std::min(*wide[i], columns_[i].narrowest) : *wide[i];
    };
    const auto total = [&](const auto& width_of) {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < wide.size(); ++i) {
            if (wide[i]) sum += width_of(i) + (sum == 0 ? 0 : kGap);
        }
        return sum;
    };
    // The least important columns leave until cutting the others is enough.
    while (total(least) > *width) {
        std::optional<std::size_t> first;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (!wide[i] || columns_[i].leaves == 0) continue;
            if (!first || columns_[i].leaves > columns_[*first].leaves) first = i;
        }
        if (!first) break;
        wide[*first].reset();
    }
    // The widest of the columns that may shrink gives way first.
    for (auto now = total([&](std::size_t i) { return *wide[i]; }); now > *width; --now) {
        std::optional<std::size_t> widest;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (!wide[i] || *wide[i] <= least(i)) continue;
            if (!widest || *wide[i] > *wide[*widest]) widest = i;
        }
        if (!widest) break;
        --*wide[*widest];
    }
    return wide;
}

bool Table::cuts(std::optional<std::size_t> width) const {
    const auto whole = widths(std::nullopt);
    const auto wide = widths(width);
    for (std::size_t i = 0; i < wide.size(); ++i) {
        if (wide[i] && *wide[i] < *whole[i]) return true;
    }
    return false;
}

std::vector<std::string> Table::lines(std::optional<std::size_t> width, bool colour) const {
    const auto wide = widths(width);
    std::size_t last = 0;
    for (std::size_t i = 0; i < wide.size(); ++i) {
        if (wide[i]) last = i;
    }
    const auto put = [&](std::string& line, std::size_t i, const std::string& text, Style style) {
        if (!wide[i]) return;
        if (!line.empty()) line.append(kGap, ' ');
        const auto shown = cut_to_width(text, *wide[i]);
        const std::string padding(*wide[i] - display_width(shown), ' ');
        if (columns_[i].right) line += padding;
        line += styled(shown, style, colour);
        // Nothing after the last column: trailing blanks wrap on narrow terminals.
        if (!columns_[i].right && i != last) line += padding;
    };
    std::vector<std::string> out;
    std::string heading;
    for (std::size_t i = 0; i < columns_.size(); ++i) put(heading, i, columns_[i].title, Style::kBold);
    out.push_back(std::move(heading));
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) put(line, i, row[i].text, row[i].style);
        out.push_back(std::move(line));
    }
    return out;
}

std::string Table::render(std::optional<std::size_t> width, bool colour) const {
    std::string text;
    for (const auto& line : lines(width, colour)) {
        text += line;
        text += '\n';
    }
    return text;
}

}  // namespace fieldwarden::supervisor::cli
