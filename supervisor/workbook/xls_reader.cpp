// Record numbers and layouts: [MS-XLS] 2.4. All numbers are little-endian.
#include <bit>
#include <cstring>
#include <map>
#include <optional>

#include "supervisor/workbook/compound_file.h"
#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/number_format.h"
#include "supervisor/workbook/readers.h"
#include "supervisor/workbook/sheet_builder.h"
#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

namespace {

enum Record : std::uint16_t {
    kFormula = 0x0006,
    kEof = 0x000A,
    kDateMode = 0x0022,
    kFilePass = 0x002F,
    kContinue = 0x003C,
    kBoundSheet = 0x0085,
    kMulRk = 0x00BD,
    kRString = 0x00D6,
    kXf = 0x00E0,
    kMergeCells = 0x00E5,
    kSst = 0x00FC,
    kLabelSst = 0x00FD,
    kNumber = 0x0203,
    kLabel = 0x0204,
    kBoolErr = 0x0205,
    kString = 0x0207,
    kRk = 0x027E,
    kFormat = 0x041E,
    kBof = 0x0809,
};

template <class T>
T at(std::string_view bytes, std::size_t offset) {
    T value{};
    if (offset + sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

// Walks the records of the workbook stream; a record that claims more than there is ends the walk.
class RecordWalk {
  public:
    RecordWalk(std::string_view stream, std::size_t offset) : stream_(stream), pos_(offset) {}
    bool next() {
        if (pos_ + 4 > stream_.size()) return false;
        type_ = at<std::uint16_t>(stream_, pos_);
        const std::size_t size = at<std::uint16_t>(stream_, pos_ + 2);
        if (size > stream_.size() - pos_ - 4) return false;
        body_ = stream_.substr(pos_ + 4, size);
        pos_ += 4 + size;
        return true;
    }
    // The body with those of the CONTINUE records behind it, as pieces.
    std::vector<std::string_view> pieces() {
        std::vector<std::string_view> all{body_};
        while (pos_ + 4 <= stream_.size() && at<std::uint16_t>(stream_, pos_) == kContinue && next()) {
            all.push_back(body_);
        }
        return all;
    }
    [[nodiscard]] std::uint16_t type() const { return type_; }
    [[nodiscard]] std::string_view body() const { return body_; }

  private:
    std::string_view stream_;
    std::size_t pos_;
    std::uint16_t type_ = 0;
    std::string_view body_;
};

// Reads strings that run over CONTINUE records: where characters are cut, the next piece begins with a new
// flag byte that says whether it goes on with one or two bytes a character ([MS-XLS] 2.5.293).
class PieceReader {
  public:
    explicit PieceReader(std::vector<std::string_view> pieces) : pieces_(std::move(pieces)) {}

    [[nodiscard]] bool failed() const { return failed_; }

    template <class T>
    T get() {
        T value{};
        char bytes[sizeof(T)];
        for (char& byte : bytes) byte = take();
        std::memcpy(&value, bytes, sizeof(T));
        return value;
    }
    void skip(std::uint64_t count) {
        while (count > 0 && !failed_) {
            if (!ensure()) return;
            const auto step = std::min<std::uint64_t>(count, pieces_[piece_].size() - pos_);
            pos_ += static_cast<std::size_t>(step);
            count -= step;
        }
    }
    std::string characters(std::size_t count, bool wide) {
        std::string text;
        std::uint32_t high = 0;
        for (std::size_t i = 0; i < count && !failed_; ++i) {
            if (pos_ >= pieces_[piece_].size()) {
                if (!ensure()) break;
                wide = (take() & 1) != 0;
            }
            const std::uint32_t unit = wide ? get<std::uint16_t>() : static_cast<unsigned char>(take());
            if (unit >= 0xD800 && unit < 0xDC00) {
                high = unit;
            } else if (high != 0 && unit >= 0xDC00 && unit < 0xE000) {
                append_utf8(text, 0x10000 + ((high - 0xD800) << 10U) + (unit - 0xDC00));
                high = 0;
            } else {
                append_utf8(text, unit);
                high = 0;
            }
        }
        return text;
    }
    // cch, flags, then the characters with what formatting follows them.
    std::string rich_string() {
        const auto count = get<std::uint16_t>();
        const auto flags = static_cast<unsigned char>(take());
        const std::uint64_t runs = (flags & 0x08U) != 0 ? get<std::uint16_t>() : 0;
        const std::uint64_t extra = (flags & 0x04U) != 0 ? get<std::uint32_t>() : 0;
        auto text = characters(count, (flags & 1U) != 0);
        skip(runs * 4 + extra);
        return text;
    }

  private:
    // Moves to a piece with bytes left.
    bool ensure() {
        while (pos_ >= pieces_[piece_].size()) {
            if (piece_ + 1 >= pieces_.size()) {
                failed_ = true;
                return false;
            }
            ++piece_;
            pos_ = 0;
        }
        return true;
    }
    char take() { return ensure() ? pieces_[piece_][pos_++] : '\0'; }

    std::vector<std::string_view> pieces_;
    std::size_t piece_ = 0;
    std::size_t pos_ = 0;
    bool failed_ = false;
};

double rk_value(std::uint32_t rk) {
    const double value = (rk & 2U) != 0
                             ? static_cast<double>(static_cast<std::int32_t>(rk) >> 2)
                             : std::bit_cast<double>(static_cast<std::uint64_t>(rk & 0xFFFFFFFCU) << 32U);
    return (rk & 1U) != 0 ? value / 100 : value;
}

std::string_view error_text(unsigned char code) {
    switch (code) {
        case 0x00:
            return "#NULL!";
        case 0x07:
            return "#DIV/0!";
        case 0x0F:
            return "#VALUE!";
        case 0x17:
            return "#REF!";
        case 0x1D:
            return "#NAME?";
        case 0x24:
            return "#NUM!";
        case 0x2A:
            return "#N/A";
        default:
            return "#ERROR";
    }
}

struct Globals {
    struct BoundSheet {
        std::string name;
        std::uint32_t offset = 0;
        bool hidden = false;
    };
    std::vector<BoundSheet> sheets;
    std::vector<std::string_view> strings;
    std::vector<CellFormat> formats;  // per XF
    Epoch epoch = Epoch::k1900;
};

class XlsReader {
  public:
    XlsReader(std::string_view stream, const ReadContext& context) : stream_(stream), context_(context) {}

    Result<Workbook> read() {
        if (auto globals = read_globals(); !globals) return globals.error();
        Workbook workbook;
        for (const auto& sheet : globals_.sheets) {
            if (sheet.hidden || !context_.wanted(sheet.name)) {
                workbook.skipped.push_back({sheet.name, sheet.hidden});
                continue;
            }
            auto read = read_sheet(sheet);
            if (!read) return read.error();
            workbook.sheets.push_back(std::move(*read));
        }
        workbook.texts.push_back(std::move(arena_));
        return workbook;
    }

  private:
    Error damaged() const {
        return make_error(ErrorKind::kCorrupt,
                          say(context_.language, "the .xls is damaged or incomplete; open and save it again",
                              ".xls 文件已损坏或不完整，请重新打开并保存"));
    }

    Status read_globals() {
        std::map<std::uint16_t, CellFormat> custom;
        std::vector<std::uint16_t> format_ids;
        RecordWalk walk{stream_, 0};
        if (!walk.next() || walk.type() != kBof) return damaged();
        if (at<std::uint16_t>(walk.body(), 0) != 0x0600) {
            return make_error(ErrorKind::kInvalidArgument,
                              say(context_.language, "this .xls is of Excel 95 or older; save it as .xlsx",
                                  "此 .xls 由 Excel 95 或更早版本写入，请另存为 .xlsx"));
        }
        while (walk.next() && walk.type() != kEof) {
            const auto body = walk.body();
            switch (walk.type()) {
                case kFilePass:
                    return make_error(
                        ErrorKind::kInvalidArgument,
                        say(context_.language, "the workbook is encrypted; remove its password and retry",
                            "工作簿已加密，请去除密码后再试"));
                case kDateMode:
                    if (at<std::uint16_t>(body, 0) == 1) globals_.epoch = Epoch::k1904;
                    break;
                case kFormat: {
                    if (body.size() < 5) return damaged();
                    PieceReader reader{{body.substr(2)}};
                    const auto code = reader.rich_string();
                    if (custom.size() < kMaxCellFormats) {
                        custom[at<std::uint16_t>(body, 0)] = parse_format_code(code);
                    }
                    break;
                }
                case kXf:
                    if (format_ids.size() < kMaxCellFormats) format_ids.push_back(at<std::uint16_t>(body, 2));
                    break;
                case kBoundSheet:
                    if (auto added = add_bound_sheet(body); !added) return added;
                    break;
                case kSst:
                    if (auto read = read_strings(walk.pieces()); !read) return read;
                    break;
                default:
                    break;
            }
        }
        for (const auto id : format_ids) {
            const auto found = custom.find(id);
            globals_.formats.push_back(found == custom.end() ? builtin_format(id) : found->second);
        }
        return {};
    }

    Status add_bound_sheet(std::string_view body) {
        constexpr char kWorksheet = 0;
        if (body.size() < 8) return damaged();
        if (body[5] != kWorksheet) return {};
        if (globals_.sheets.size() == kMaxSheets) return damaged();
        PieceReader reader{{body.substr(8)}};
        const auto count = static_cast<unsigned char>(body[6]);
        auto name = reader.characters(count, (body[7] & 1) != 0);
        globals_.sheets.push_back({std::move(name), at<std::uint32_t>(body, 0), (body[4] & 3) != 0});
        return {};
    }

    Status read_strings(std::vector<std::string_view> pieces) {
        PieceReader reader{std::move(pieces)};
        reader.skip(4);
        const auto count = reader.get<std::uint32_t>();
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto text = reader.rich_string();
            if (reader.failed()) return damaged();
            globals_.strings.push_back(arena_.store(text));
            if (globals_.strings.size() > kMaxCells || arena_.bytes() > kMaxTextBytes) {
                return make_error(ErrorKind::kTooLarge,
                                  say(context_.language, "the workbook holds more than {} MB of text",
                                      "工作簿的文字超过 {} MB", kMaxTextBytes >> 20U));
            }
        }
        return {};
    }

    Result<Sheet> read_sheet(const Globals::BoundSheet& bound) {
        SheetBuilder builder{bound.name, arena_, use_, context_.language};
        RecordWalk walk{stream_, bound.offset};
        if (!walk.next() || walk.type() != kBof) return damaged();
        pending_formula_.reset();
        // Charts inside a sheet are substreams of their own.
        for (unsigned depth = 1; depth > 0;) {
            if (!walk.next()) return damaged();
            if (walk.type() == kBof) ++depth;
            if (walk.type() == kEof) --depth;
            if (depth != 1) continue;
            if (auto taken = take_record(walk, builder); !taken) return taken.error();
        }
        return builder.finish();
    }

    Status take_record(RecordWalk& walk, SheetBuilder& builder) {
        const auto body = walk.body();
        switch (walk.type()) {
            case kNumber:
                return number(builder, body, at<std::uint16_t>(body, 2), at<std::uint16_t>(body, 4),
                              at<double>(body, 6));
            case kRk:
                return number(builder, body, at<std::uint16_t>(body, 2), at<std::uint16_t>(body, 4),
                              rk_value(at<std::uint32_t>(body, 6)));
            case kMulRk: {
                const std::uint32_t first = at<std::uint16_t>(body, 2);
                for (std::uint32_t i = 0; 4 + (i + 1) * 6 + 2 <= body.size(); ++i) {
                    const std::size_t offset = 4 + i * 6;
                    auto added = number(builder, body, first + i, at<std::uint16_t>(body, offset),
                                        rk_value(at<std::uint32_t>(body, offset + 2)));
                    if (!added) return added;
                }
                return {};
            }
            case kLabelSst: {
                const auto index = at<std::uint32_t>(body, 6);
                if (index >= globals_.strings.size()) return damaged();
                return text(builder, body, CellKind::kText, globals_.strings[index]);
            }
            case kLabel:
            case kRString: {
                if (body.size() < 9) return damaged();
                PieceReader reader{{body.substr(6)}};
                return text(builder, body, CellKind::kText, reader.rich_string());
            }
            case kBoolErr:
                return bool_or_error(builder, body, at<std::uint8_t>(body, 6),
                                     at<std::uint8_t>(body, 7) != 0);
            case kFormula:
                return formula(builder, body);
            case kString: {
                if (!pending_formula_) return {};
                const auto cell = *pending_formula_;
                pending_formula_.reset();
                PieceReader reader{walk.pieces()};
                return text(builder, cell, CellKind::kText, reader.rich_string());
            }
            case kMergeCells:
                return merged(builder, body);
            default:
                return {};
        }
    }

    // Every cell record starts with its row and column.
    Status at_row(SheetBuilder& builder, std::string_view body) {
        const std::uint64_t row = at<std::uint16_t>(body, 0) + 1ULL;
        return row == builder.row_number() ? Status{} : builder.begin_row(row);
    }
    Status number(SheetBuilder& builder, std::string_view body, std::uint32_t column, std::uint16_t xf,
                  double value) {
        if (auto begun = at_row(builder, body); !begun) return begun;
        if (!(value - value == 0)) return builder.add(column, CellKind::kError, "#NUM!");
        const auto format = xf < globals_.formats.size() ? globals_.formats[xf] : CellFormat{};
        return builder.add_number(column, value, format, globals_.epoch);
    }
    Status text(SheetBuilder& builder, std::string_view body, CellKind kind, std::string_view value) {
        if (auto begun = at_row(builder, body); !begun) return begun;
        return builder.add(at<std::uint16_t>(body, 2), kind, value);
    }
    Status bool_or_error(SheetBuilder& builder, std::string_view body, std::uint8_t value, bool is_error) {
        return is_error ? text(builder, body, CellKind::kError, error_text(value))
                        : text(builder, body, CellKind::kBoolean, value != 0 ? "true" : "false");
    }
    Status formula(SheetBuilder& builder, std::string_view body) {
        if (at<std::uint16_t>(body, 12) != 0xFFFF) {
            return number(builder, body, at<std::uint16_t>(body, 2), at<std::uint16_t>(body, 4),
                          at<double>(body, 6));
        }
        switch (at<std::uint8_t>(body, 6)) {
            case 0:  // the text follows in a STRING record
                pending_formula_ = body;
                return {};
            case 1:
                return bool_or_error(builder, body, at<std::uint8_t>(body, 8), false);
            case 2:
                return bool_or_error(builder, body, at<std::uint8_t>(body, 8), true);
            default:  // an empty text
                return {};
        }
    }
    Status merged(SheetBuilder& builder, std::string_view body) {
        const std::size_t count = at<std::uint16_t>(body, 0);
        for (std::size_t i = 0; i < count && 2 + (i + 1) * 8 <= body.size(); ++i) {
            const std::size_t offset = 2 + i * 8;
            const MergedRange range{at<std::uint16_t>(body, offset) + 1U,
                                    at<std::uint16_t>(body, offset + 2) + 1U,
                                    at<std::uint16_t>(body, offset + 4), at<std::uint16_t>(body, offset + 6)};
            if (auto added = builder.add_merged(range); !added) return added;
        }
        return {};
    }

    std::string_view stream_;
    const ReadContext& context_;
    Globals globals_;
    TextArena arena_;
    TableUse use_;
    std::optional<std::string_view> pending_formula_;
};

}  // namespace

Result<Workbook> read_xls(std::string_view bytes, const ReadContext& context) {
    const auto file = CompoundFile::open(bytes);
    const auto stream = file ? file->stream("Workbook") : Result<std::string>{file.error()};
    if (!stream) {
        if (file && file->has("Book")) {
            return make_error(ErrorKind::kInvalidArgument,
                              say(context.language, "this .xls is of Excel 95 or older; save it as .xlsx",
                                  "此 .xls 由 Excel 95 或更早版本写入，请另存为 .xlsx"));
        }
        return make_error(
            ErrorKind::kCorrupt,
            say(context.language, "the .xls is damaged or incomplete ({}); open and save it again",
                ".xls 文件已损坏或不完整（{}），请重新打开并保存", stream.error().message));
    }
    return XlsReader{*stream, context}.read();
}

}  // namespace fieldwarden::supervisor
