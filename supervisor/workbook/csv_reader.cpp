#include <algorithm>
#include <filesystem>

#include "supervisor/workbook/archive.h"
#include "supervisor/workbook/charset.h"
#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/readers.h"
#include "supervisor/workbook/sheet_builder.h"
#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

namespace {

Result<std::string> decoded(std::string_view bytes, Language language) {
    if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
    const bool utf16_little = bytes.starts_with("\xFF\xFE");
    const bool utf16_big = bytes.starts_with("\xFE\xFF");
    if (!utf16_little && !utf16_big) {
        if (bytes.find('\0') != std::string_view::npos) {
            return make_error(
                ErrorKind::kInvalidArgument,
                say(language, "this is neither a workbook nor text; hand over an .xlsx, .xls or .csv",
                    "文件既不是工作簿也不是文本，请提供 .xlsx、.xls 或 .csv"));
        }
        if (valid_utf8(bytes)) return std::string{bytes};
    }
    auto text = utf16_little ? to_utf8(bytes.substr(2), "UTF-16LE")
                : utf16_big  ? to_utf8(bytes.substr(2), "UTF-16BE")
                             : to_utf8(bytes, "GB18030");
    if (!text) {
        return make_error(
            ErrorKind::kCorrupt,
            say(language, "the text is neither UTF-8 nor GB18030 ({}); save it as CSV UTF-8",
                "文本既不是 UTF-8 也不是 GB18030（{}），请另存为 CSV UTF-8", text.error().message));
    }
    return text;
}

// What separates the fields: Excel's own "sep=;" line, or whichever of , ; tab stands most often in the first
// line that is not empty.
char sniff_separator(std::string_view& text) {
    if (text.starts_with("sep=") && text.size() > 4) {
        const char separator = text[4];
        text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
        return separator;
    }
    std::size_t commas = 0, semicolons = 0, tabs = 0;
    bool quoted = false;
    bool any = false;
    for (const char c : text) {
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (c == '\n' && any) break;
        any = any || (c != '\r' && c != '\n');
        commas += c == ',';
        semicolons += c == ';';
        tabs += c == '\t';
    }
    if (tabs > commas && tabs >= semicolons) return '\t';
    return semicolons > commas ? ';' : ',';
}

// RFC 4180 with the separators above: fields of one record at a time. A bare CR ends a record too.
class CsvRecords {
  public:
    CsvRecords(std::string_view text, char separator) : text_(text), separator_(separator) {}

    [[nodiscard]] bool at_end() const { return pos_ >= text_.size(); }
    [[nodiscard]] bool unterminated() const { return unterminated_; }

    // Calls `field(column, text)` for every field up to the end of the record; stops early on a failure.
    template <class OnField>
    Status next(OnField field) {
        for (std::uint64_t column = 0;; ++column) {
            take_field();
            if (auto taken = field(column, std::string_view{field_}); !taken) return taken;
            if (at_end()) return {};
            const char c = text_[pos_++];
            if (c == separator_) continue;
            if (c == '\r' && !at_end() && text_[pos_] == '\n') ++pos_;
            return {};
        }
    }

  private:
    // Leaves pos_ at the separator or line end behind the field.
    void take_field() {
        field_.clear();
        // ="0012" is how a CSV keeps Excel from turning a code into a number.
        if (text_.substr(pos_).starts_with("=\"")) ++pos_;
        if (!at_end() && text_[pos_] == '"') {
            take_quoted();
        }
        const auto end = std::min(text_.find_first_of(ends_, pos_), text_.size());
        field_ += text_.substr(pos_, end - pos_);
        pos_ = end;
    }
    void take_quoted() {
        ++pos_;
        for (;;) {
            const auto quote = text_.find('"', pos_);
            if (quote == std::string_view::npos) {
                unterminated_ = true;
                pos_ = text_.size();
                return;
            }
            field_ += text_.substr(pos_, quote - pos_);
            pos_ = quote + 1;
            if (at_end() || text_[pos_] != '"') return;
            field_ += '"';
            ++pos_;
        }
    }

    std::string_view text_;
    char separator_;
    std::string ends_{separator_, '\r', '\n'};
    std::size_t pos_ = 0;
    std::string field_;
    bool unterminated_ = false;
};

Result<Sheet> read_sheet(std::string_view bytes, std::string name, TextArena& arena, TableUse& use,
                         Language language) {
    const auto content = decoded(bytes, language);
    if (!content) return content.error();
    std::string_view text = *content;
    const char separator = sniff_separator(text);
    SheetBuilder builder{name, arena, use, language};
    CsvRecords records{text, separator};
    for (std::uint64_t row = 1; !records.at_end(); ++row) {
        if (auto begun = builder.begin_row(row); !begun) return begun.error();
        auto read = records.next([&](std::uint64_t column, std::string_view field) {
            return trimmed(field).empty() ? Status{} : builder.add(column, CellKind::kText, field);
        });
        if (!read) return read.error();
        if (records.unterminated()) {
            return make_error(ErrorKind::kCorrupt,
                              say(language, "sheet '{}' row {}: a quote is opened and never closed",
                                  "工作表“{}”第 {} 行：引号没有结束", shortened(name, 100), row));
        }
    }
    return builder.finish();
}

std::string sheet_name_of(std::string_view file_name) {
    const auto slash = file_name.rfind('/');
    if (slash != std::string_view::npos) file_name.remove_prefix(slash + 1);
    const auto dot = file_name.rfind('.');
    return std::string{file_name.substr(0, dot)};
}

bool is_csv_name(std::string_view name) {
    return lower_ascii(name).ends_with(".csv");
}

// Nothing is ever unpacked to disk, so such a name could do no harm; it shows that the zip was made to do
// some.
bool leads_outside(std::string_view name) {
    return name.starts_with('/') || name.starts_with("../") || name.find("/../") != std::string_view::npos ||
           (name.size() > 1 && name[1] == ':');
}

Error no_csv(Language language, std::string_view what) {
    return make_error(
        ErrorKind::kInvalidArgument,
        say(language, "the {} holds no .csv file; name them sites.csv, devices.csv, points.csv, …",
            "{} 中没有 .csv 文件，请命名为 sites.csv、devices.csv、points.csv 等", what));
}

}  // namespace

Result<Workbook> read_csv(std::string_view bytes, std::string sheet_name, const ReadContext& context) {
    Workbook workbook;
    TextArena arena;
    TableUse use;
    auto sheet = read_sheet(bytes, std::move(sheet_name), arena, use, context.language);
    if (!sheet) return sheet.error();
    workbook.sheets.push_back(std::move(*sheet));
    workbook.texts.push_back(std::move(arena));
    return workbook;
}

Result<Workbook> read_csv_zip(const std::string& path, const ReadContext& context) {
    const auto language = context.language;
    const auto archive = Archive::open(path, std::make_shared<std::atomic<std::uint64_t>>(0), language);
    if (!archive) return archive.error();
    Workbook workbook;
    TextArena arena;
    TableUse use;
    bool any = false;
    for (const auto& entry : archive->entries()) {
        if (leads_outside(entry.name)) {
            return make_error(
                ErrorKind::kCorrupt,
                say(language, "the zip holds '{}', a name that leads outside of it; it was refused",
                    "zip 中的“{}”指向压缩包之外，已被拒绝", shortened(entry.name, 100)));
        }
        auto name = sheet_name_of(entry.name);
        if (!is_csv_name(entry.name) || entry.name.starts_with("__MACOSX/") || name.starts_with('.'))
            continue;
        any = true;
        if (workbook.sheets.size() + workbook.skipped.size() == kMaxSheets) {
            return make_error(ErrorKind::kTooLarge, say(language, "the zip holds more than {} .csv files",
                                                        "zip 中的 .csv 文件超过 {} 个", kMaxSheets));
        }
        if (!context.wanted(name)) {
            workbook.skipped.push_back({std::move(name), false});
            continue;
        }
        const auto content = archive->content(entry, kMaxWholeFileBytes);
        if (!content) return content.error();
        auto sheet = read_sheet(*content, std::move(name), arena, use, language);
        if (!sheet) return sheet.error();
        workbook.sheets.push_back(std::move(*sheet));
    }
    if (!any) return no_csv(language, "zip");
    workbook.texts.push_back(std::move(arena));
    return workbook;
}

Result<Workbook> read_csv_folder(const std::string& path, const ReadContext& context) {
    namespace fs = std::filesystem;
    const auto language = context.language;
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator at{path, error}, end; !error && at != end; at.increment(error)) {
        if (is_csv_name(at->path().string()) && at->is_regular_file(error)) files.push_back(at->path());
        if (files.size() > kMaxSheets) {
            return make_error(ErrorKind::kTooLarge, say(language, "the folder holds more than {} .csv files",
                                                        "文件夹中的 .csv 文件超过 {} 个", kMaxSheets));
        }
    }
    if (error) {
        return make_error(ErrorKind::kIo,
                          say(language, "cannot read the folder: {}", "无法读取文件夹：{}", error.message()));
    }
    if (files.empty()) return no_csv(language, say(language, "folder", "文件夹"));
    std::sort(files.begin(), files.end());
    Workbook workbook;
    TextArena arena;
    TableUse use;
    for (const auto& file : files) {
        auto name = sheet_name_of(file.filename().string());
        if (!context.wanted(name)) {
            workbook.skipped.push_back({std::move(name), false});
            continue;
        }
        const auto content = read_whole_file(file.string(), language);
        if (!content) return content.error();
        auto sheet = read_sheet(*content, std::move(name), arena, use, language);
        if (!sheet) return sheet.error();
        workbook.sheets.push_back(std::move(*sheet));
    }
    workbook.texts.push_back(std::move(arena));
    return workbook;
}

}  // namespace fieldwarden::supervisor
