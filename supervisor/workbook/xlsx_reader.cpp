#include <future>
#include <optional>

#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/readers.h"
#include "supervisor/workbook/text.h"
#include "supervisor/workbook/xlsx_parts.h"
#include "supervisor/workbook/xlsx_sheet.h"

namespace fieldwarden::supervisor {

namespace {

using InflatedBytes = std::shared_ptr<std::atomic<std::uint64_t>>;

struct SharedStrings {
    std::vector<std::string_view> strings;
    TextArena arena;
};

// Runs on a thread of its own, with its own handle on the file.
Result<SharedStrings> load_strings(const std::string& path, const std::string& part, InflatedBytes inflated,
                                   Language language) {
    SharedStrings shared;
    const auto archive = Archive::open(path, std::move(inflated), language);
    if (!archive) return archive.error();
    const auto* entry = archive->find(part);
    if (entry == nullptr) return shared;
    const auto source = archive->stream(*entry);
    if (!source) return source.error();
    if (auto read = read_shared_strings(*source, part, language, shared.strings, shared.arena); !read) {
        return read.error();
    }
    return shared;
}

struct OpenSheet {
    SheetBuilder builder;
    std::vector<SharedCell> shared;
};

Status resolve_shared(OpenSheet& sheet, const SharedStrings& strings, std::string_view name,
                      Language language) {
    for (const auto& cell : sheet.shared) {
        if (cell.index >= strings.strings.size()) {
            return make_error(ErrorKind::kCorrupt,
                              say(language, "sheet '{}' uses shared string {} of {}, so the file is damaged",
                                  "工作表“{}”引用了第 {} 条共享字符串，但只有 {} 条，文件已损坏",
                                  shortened(name, 100), cell.index, strings.strings.size()));
        }
        sheet.builder.fill(cell.cell, strings.strings[cell.index]);
    }
    return {};
}

}  // namespace

Result<Workbook> read_xlsx(const std::string& path, const ReadContext& context) {
    const auto language = context.language;
    auto inflated = std::make_shared<std::atomic<std::uint64_t>>(0);
    const auto archive = Archive::open(path, inflated, language);
    if (!archive) return archive.error();
    const auto layout = read_layout(*archive, language);
    if (!layout) return layout.error();
    const auto formats = read_cell_formats(*archive, *layout, language);
    if (!formats) return formats.error();

    // Strings and sheets refer to each other by index only, so they are read side by side.
    std::optional<std::future<Result<SharedStrings>>> strings_read;
    if (!layout->shared_strings.empty()) {
        strings_read =
            std::async(std::launch::async, load_strings, path, layout->shared_strings, inflated, language);
    }

    Workbook workbook;
    TextArena arena;
    TableUse use;
    std::vector<OpenSheet> open;
    std::vector<std::string_view> names;
    for (const auto& sheet : layout->sheets) {
        if (sheet.hidden || !context.wanted(sheet.name)) {
            workbook.skipped.push_back({sheet.name, sheet.hidden});
            continue;
        }
        const auto* entry = archive->find(sheet.part);
        if (entry == nullptr) {
            return make_error(ErrorKind::kCorrupt,
                              say(language, "sheet '{}' is missing from the file; save it again",
                                  "文件中缺少工作表“{}”的内容，请重新保存", shortened(sheet.name, 100)));
        }
        const auto source = archive->stream(*entry);
        if (!source) return source.error();
        auto& target = open.emplace_back(OpenSheet{SheetBuilder{sheet.name, arena, use, language}, {}});
        if (auto read = read_worksheet(*source, shortened(sheet.part, 100), language, *formats, layout->epoch,
                                       target.builder, target.shared);
            !read) {
            return read.error();
        }
        names.push_back(sheet.name);
    }

    SharedStrings strings;
    if (strings_read) {
        auto read = strings_read->get();
        if (!read) return read.error();
        strings = std::move(*read);
    }
    for (std::size_t i = 0; i < open.size(); ++i) {
        if (auto resolved = resolve_shared(open[i], strings, names[i], language); !resolved) {
            return resolved.error();
        }
        auto sheet = open[i].builder.finish();
        if (!sheet) return sheet.error();
        workbook.sheets.push_back(std::move(*sheet));
    }
    workbook.texts.push_back(std::move(arena));
    workbook.texts.push_back(std::move(strings.arena));
    return workbook;
}

}  // namespace fieldwarden::supervisor
