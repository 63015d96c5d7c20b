#include "supervisor/workbook/xlsx_sheet.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

namespace {

constexpr auto kHexDigits = "0123456789ABCDEFabcdef";

// The text of <t> elements, of all runs together, without the phonetic ones.
class TextRuns {
  public:
    void begin() {
        text_.clear();
        phonetic_ = false;
        inside_ = false;
    }
    void on_start(std::string_view name) {
        if (name.size() == 3 && name == "rPh") phonetic_ = true;
        if (name == "t") inside_ = !phonetic_;
    }
    void on_end(std::string_view name) {
        if (name == "rPh") phonetic_ = false;
        if (name == "t") inside_ = false;
    }
    // False when the text is longer than any cell's.
    bool on_text(std::string_view text) {
        if (inside_) text_ += text;
        return text_.size() <= kMaxCellBytes;
    }
    std::string& finished() {
        unescape_xstring(text_);
        return text_;
    }

  private:
    std::string text_;
    bool phonetic_ = false;
    bool inside_ = false;
};

Error too_long(std::string_view part, Language language) {
    return make_error(ErrorKind::kTooLarge, say(language, "{}: a cell holds more than {} bytes",
                                                "{}：有单元格超过 {} 字节", part, kMaxCellBytes));
}

class StringsHandler final : public XmlHandler {
  public:
    StringsHandler(std::string_view part, Language language, std::vector<std::string_view>& strings,
                   TextArena& arena)
        : part_(part), language_(language), strings_(strings), arena_(arena) {}

    void on_start(std::string_view name, const XmlAttributes&) override {
        if (name == "si") {
            in_string_ = true;
            runs_.begin();
        } else if (in_string_) {
            runs_.on_start(name);
        }
    }
    void on_end(std::string_view name) override {
        if (name != "si") {
            runs_.on_end(name);
            return;
        }
        in_string_ = false;
        strings_.push_back(arena_.store(runs_.finished()));
        if (strings_.size() > kMaxCells || arena_.bytes() > kMaxTextBytes) {
            stop(make_error(
                ErrorKind::kTooLarge,
                say(language_, "{}: more than {} texts or {} MB of text; split the workbook",
                    "{}：文字超过 {} 条或 {} MB，请拆分工作簿", part_, kMaxCells, kMaxTextBytes >> 20U)));
        }
    }
    void on_text(std::string_view text) override {
        if (in_string_ && !runs_.on_text(text)) stop(too_long(part_, language_));
    }

  private:
    std::string_view part_;
    Language language_;
    std::vector<std::string_view>& strings_;
    TextArena& arena_;
    TextRuns runs_;
    bool in_string_ = false;
};

std::optional<MergedRange> parse_range(std::string_view reference) {
    const auto colon = reference.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto corner = [](std::string_view cell, std::uint32_t& row, std::uint32_t& column) {
        const auto letters = column_of_reference(cell);
        const auto digits = cell.find_first_of("0123456789");
        if (!letters || digits == std::string_view::npos) return false;
        column = *letters;
        const auto number = cell.substr(digits);
        return std::from_chars(number.data(), number.data() + number.size(), row).ec == std::errc{};
    };
    MergedRange range;
    if (!corner(reference.substr(0, colon), range.first_row, range.first_column) ||
        !corner(reference.substr(colon + 1), range.last_row, range.last_column)) {
        return std::nullopt;
    }
    return range;
}

// Digits that are the canonical text of a whole number already: the common case of a numeric cell.
bool is_plain_integer(std::string_view text) {
    return !text.empty() && text.size() <= 15 && (text.size() == 1 || text.front() != '0') &&
           text.find_first_not_of("0123456789") == std::string_view::npos;
}

class SheetHandler final : public XmlHandler {
  public:
    SheetHandler(std::string_view part, Language language, std::span<const CellFormat> formats, Epoch epoch,
                 SheetBuilder& builder, std::vector<SharedCell>& shared)
        : part_(part),
          language_(language),
          formats_(formats),
          epoch_(epoch),
          builder_(builder),
          shared_(shared) {}

    void on_start(std::string_view name, const XmlAttributes& attributes) override {
        if (in_cell_) {
            if (name == "v") {
                in_value_ = true;
            } else if (name == "f") {
                has_formula_ = true;
            } else {
                runs_.on_start(name);
            }
        } else if (in_row_ && name == "c") {
            begin_cell(attributes);
        } else if (in_data_ && name == "row") {
            begin_row(attributes);
        } else if (name == "sheetData") {
            in_data_ = true;
        } else if (name == "mergeCell") {
            if (const auto range = parse_range(attributes.find("ref").value_or(""))) {
                check(builder_.add_merged(*range));
            }
        }
    }

    void on_end(std::string_view name) override {
        if (in_cell_) {
            if (name == "v") {
                in_value_ = false;
            } else if (name == "c") {
                end_cell();
                in_cell_ = false;
            } else {
                runs_.on_end(name);
            }
        } else if (name == "row") {
            in_row_ = false;
        } else if (name == "sheetData") {
            in_data_ = false;
        }
    }

    void on_text(std::string_view text) override {
        if (in_value_) {
            value_ += text;
            if (value_.size() > kMaxCellBytes) stop(too_long(part_, language_));
        } else if (in_cell_ && !runs_.on_text(text)) {
            stop(too_long(part_, language_));
        }
    }

  private:
    enum class Type { kNumber, kShared, kText, kInline, kBoolean, kError, kDate };

    void check(const Status& status) {
        if (!status) stop(status.error());
    }

    void begin_row(const XmlAttributes& attributes) {
        in_row_ = true;
        next_column_ = 0;
        std::uint64_t number = builder_.row_number() + 1;
        if (const auto given = attributes.find("r")) {
            const auto read = std::from_chars(given->data(), given->data() + given->size(), number);
            if (read.ec != std::errc{} || read.ptr != given->data() + given->size()) number = 0;
        }
        check(builder_.begin_row(number));
    }

    void begin_cell(const XmlAttributes& attributes) {
        in_cell_ = true;
        in_value_ = false;
        has_formula_ = false;
        value_.clear();
        runs_.begin();
        style_ = 0;
        type_ = Type::kNumber;
        column_ = next_column_;
        if (const auto reference = attributes.find("r")) {
            const auto column = column_of_reference(*reference);
            if (!column) {
                stop(make_error(
                    ErrorKind::kCorrupt,
                    say(language_, "{}: '{}' is no cell of a sheet, so the file is damaged",
                        "{}：“{}”不是有效的单元格，文件已损坏", part_, shortened(*reference, 40))));
                return;
            }
            column_ = *column;
        }
        next_column_ = column_ + 1;
        if (const auto style = attributes.find("s")) {
            std::from_chars(style->data(), style->data() + style->size(), style_);
        }
        if (const auto type = attributes.find("t")) type_ = type_of(*type);
    }

    static Type type_of(std::string_view name) {
        if (name == "s") return Type::kShared;
        if (name == "str") return Type::kText;
        if (name == "inlineStr") return Type::kInline;
        if (name == "b") return Type::kBoolean;
        if (name == "e") return Type::kError;
        if (name == "d") return Type::kDate;
        return Type::kNumber;
    }

    void end_cell() {
        switch (type_) {
            case Type::kInline:
                check(builder_.add(column_, CellKind::kText, runs_.finished()));
                return;
            case Type::kText:
                unescape_xstring(value_);
                check(builder_.add(column_, CellKind::kText, value_));
                return;
            case Type::kError:
                check(builder_.add(column_, CellKind::kError, value_));
                return;
            case Type::kBoolean:
                if (!value_.empty()) {
                    check(builder_.add(column_, CellKind::kBoolean,
                                       value_ == "1" || value_ == "true" ? "true" : "false"));
                }
                return;
            case Type::kDate:
                // ISO 8601 of strict files: 2026-03-01T00:00:00.
                check(builder_.add(column_, CellKind::kDate,
                                   std::string_view{value_}.substr(0, value_.find('T'))));
                return;
            case Type::kShared:
                end_shared();
                return;
            case Type::kNumber:
                end_number();
                return;
        }
    }

    void end_shared() {
        if (value_.empty()) return;
        std::uint32_t index = 0;
        const auto read = std::from_chars(value_.data(), value_.data() + value_.size(), index);
        if (read.ec != std::errc{}) {
            stop(make_error(ErrorKind::kCorrupt,
                            say(language_, "{}: '{}' is no index of a shared string",
                                "{}：“{}”不是共享字符串的序号", part_, shortened(value_, 40))));
            return;
        }
        const auto position = builder_.add_unfilled(column_);
        if (!position) {
            stop(position.error());
            return;
        }
        shared_.push_back({*position, index});
    }

    void end_number() {
        if (value_.empty()) {
            if (has_formula_) check(builder_.add(column_, CellKind::kFormula, {}));
            return;
        }
        const auto format = style_ < formats_.size() ? formats_[style_] : CellFormat{};
        if (format.kind == CellFormat::Kind::kPlain && is_plain_integer(value_)) {
            check(builder_.add(column_, CellKind::kNumber, value_));
        } else if (const auto number = parse_number(trimmed(value_))) {
            check(builder_.add_number(column_, *number, format, epoch_));
        } else {
            check(builder_.add(column_, CellKind::kText, value_));
        }
    }

    std::string_view part_;
    Language language_;
    std::span<const CellFormat> formats_;
    Epoch epoch_;
    SheetBuilder& builder_;
    std::vector<SharedCell>& shared_;

    bool in_data_ = false;
    bool in_row_ = false;
    bool in_cell_ = false;
    bool in_value_ = false;
    bool has_formula_ = false;
    std::uint64_t next_column_ = 0;
    std::uint64_t column_ = 0;
    std::size_t style_ = 0;
    Type type_ = Type::kNumber;
    std::string value_;
    TextRuns runs_;
};

}  // namespace

void unescape_xstring(std::string& text) {
    std::size_t at = text.find("_x");
    if (at == std::string::npos) return;
    std::string out = text.substr(0, at);
    while (at < text.size()) {
        const auto digits = std::string_view{text}.substr(std::min(at + 2, text.size()), 4);
        const bool escape = text.compare(at, 2, "_x") == 0 && digits.size() == 4 && at + 6 < text.size() &&
                            text[at + 6] == '_' &&
                            digits.find_first_not_of(kHexDigits) == std::string_view::npos;
        if (!escape) {
            out += text[at++];
            continue;
        }
        unsigned code = 0;
        std::from_chars(digits.data(), digits.data() + 4, code, 16);
        append_utf8(out, code == 0 ? 0xFFFD : code);  // NUL has no place in a text of ours
        at += 7;
    }
    text = std::move(out);
}

Status read_shared_strings(const ByteSource& source, std::string_view part, Language language,
                           std::vector<std::string_view>& strings, TextArena& arena) {
    StringsHandler handler{part, language, strings, arena};
    return scan_xml(source, handler, part, language);
}

Status read_worksheet(const ByteSource& source, std::string_view part, Language language,
                      std::span<const CellFormat> formats, Epoch epoch, SheetBuilder& builder,
                      std::vector<SharedCell>& shared) {
    SheetHandler handler{part, language, formats, epoch, builder, shared};
    return scan_xml(source, handler, part, language);
}

}  // namespace fieldwarden::supervisor
