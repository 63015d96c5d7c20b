// Aligned tables for people: columns as wide as their widest cell, cut to the terminal where asked for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace fieldwarden::supervisor::cli {

enum class Style : unsigned char { kPlain, kGood, kWarning, kBad, kDim, kBold };

// `text` in the style, or as it is when colour is off.
std::string styled(std::string text, Style style, bool colour);

struct Cell {
    std::string text;  // made printable by the table
    Style style = Style::kPlain;
};

struct Column {
    std::string title;
    bool right = false;         // numbers
    bool shrinks = false;       // may be cut when the table is wider than the terminal
    std::size_t narrowest = 8;  // columns below which it is not cut
    // 0 stays; of the others the highest leaves first when cutting alone does not make the table fit.
    unsigned leaves = 0;
};

class Table {
  public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    // Missing cells are empty; surplus ones are a defect of the caller.
    void add(std::vector<Cell> cells);
    [[nodiscard]] bool empty() const { return rows_.empty(); }
    [[nodiscard]] std::size_t size() const { return rows_.size(); }

    // The heading and the rows, each ended by a line break. `width`: columns of the terminal; nullopt: as
    // wide as it takes.
    [[nodiscard]] std::string render(std::optional<std::size_t> width, bool colour) const;
    // The same, one string per line without the line break; the first is the heading.
    [[nodiscard]] std::vector<std::string> lines(std::optional<std::size_t> width, bool colour) const;

    // Whether at this width something of a cell is cut off.
    [[nodiscard]] bool cuts(std::optional<std::size_t> width) const;

  private:
    // Of each column; nullopt for one that has left.
    [[nodiscard]] std::vector<std::optional<std::size_t>> widths(std::optional<std::size_t> width) const;

    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

}  // namespace fieldwarden::supervisor::cli
