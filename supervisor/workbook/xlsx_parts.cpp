#include "supervisor/workbook/xlsx_parts.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

namespace {

unsigned parse_unsigned(std::string_view text) {
    unsigned value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

bool is_true(std::optional<std::string_view> value) {
    return value == "1" || value == "true" || value == "on";
}

std::string kept(std::optional<std::string_view> value) {
    return std::string{value.value_or("").substr(0, kMaxAttributeBytes)};
}

struct Relation {
    std::string kind;  // the last segment of the type, the same in transitional and strict files
    std::string part;
};
using Relations = std::map<std::string, Relation, std::less<>>;

class RelationsHandler final : public XmlHandler {
  public:
    explicit RelationsHandler(std::string_view source_part) : source_part_(source_part) {}
    void on_start(std::string_view name, const XmlAttributes& attributes) override {
        if (name != "Relationship" || attributes.find("TargetMode") == "External") return;
        if (relations.size() > kMaxZipEntries) return;
        const auto type = kept(attributes.find("Type"));
        const auto target = resolve_target(source_part_, kept(attributes.find("Target")));
        // Relations to parts that are never read (themes, printers) may be as odd as they like.
        if (!target) return;
        relations[kept(attributes.find("Id"))] = {type.substr(type.rfind('/') + 1), *target};
    }
    void on_end(std::string_view) override {}
    void on_text(std::string_view) override {}

    Relations relations;

  private:
    std::string_view source_part_;
};

class WorkbookHandler final : public XmlHandler {
  public:
    struct Named {
        std::string name, relation;
        bool hidden = false;
    };
    void on_start(std::string_view name, const XmlAttributes& attributes) override {
        if (name == "workbookPr" && is_true(attributes.find("date1904"))) epoch = Epoch::k1904;
        if (name == "sheet" && sheets.size() <= kMaxSheets) {
            const auto state = attributes.find("state").value_or("visible");
            sheets.push_back({kept(attributes.find("name")), kept(attributes.find("id")),
                              state == "hidden" || state == "veryHidden"});
        }
    }
    void on_end(std::string_view) override {}
    void on_text(std::string_view) override {}

    std::vector<Named> sheets;
    Epoch epoch = Epoch::k1900;
};

class StylesHandler final : public XmlHandler {
  public:
    void on_start(std::string_view name, const XmlAttributes& attributes) override {
        if (name == "numFmts") in_formats_ = true;
        if (name == "cellXfs") in_cells_ = true;
        if (name == "numFmt" && in_formats_ && custom_.size() < kMaxCellFormats) {
            custom_[parse_unsigned(kept(attributes.find("numFmtId")))] =
                parse_format_code(kept(attributes.find("formatCode")));
        }
        if (name == "xf" && in_cells_ && formats.size() < kMaxCellFormats) {
            const auto id = parse_unsigned(kept(attributes.find("numFmtId")));
            const auto custom = custom_.find(id);
            formats.push_back(custom == custom_.end() ? builtin_format(id) : custom->second);
        }
    }
    void on_end(std::string_view name) override {
        if (name == "numFmts") in_formats_ = false;
        if (name == "cellXfs") in_cells_ = false;
    }
    void on_text(std::string_view) override {}

    std::vector<CellFormat> formats;

  private:
    std::map<unsigned, CellFormat> custom_;
    bool in_formats_ = false;
    bool in_cells_ = false;
};

Status parse_part(const Archive& archive, const Archive::Entry& entry, XmlHandler& handler,
                  Language language) {
    const auto source = archive.stream(entry);
    if (!source) return source.error();
    return parse_xml(*source, handler, shortened(entry.name, 100), language);
}

// The relations of a part ("" for the package); empty when it has none.
Result<Relations> read_relations(const Archive& archive, std::string_view part, Language language) {
    const auto slash = part.rfind('/');
    const auto folder = slash == std::string_view::npos ? std::string_view{} : part.substr(0, slash + 1);
    const auto file = slash == std::string_view::npos ? part : part.substr(slash + 1);
    const auto* entry = archive.find(fmt::format("{}_rels/{}.rels", folder, file));
    RelationsHandler handler{part};
    if (entry == nullptr) return handler.relations;
    if (auto parsed = parse_part(archive, *entry, handler, language); !parsed) return parsed.error();
    return std::move(handler.relations);
}

std::string part_of_kind(const Relations& relations, std::string_view kind) {
    const auto found = std::find_if(relations.begin(), relations.end(),
                                    [&](const auto& relation) { return relation.second.kind == kind; });
    return found == relations.end() ? std::string{} : found->second.part;
}

}  // namespace

Result<std::string> resolve_target(std::string_view source_part, std::string_view target) {
    std::string path{target};
    std::replace(path.begin(), path.end(), '\\', '/');
    if (!path.starts_with('/')) {
        const auto slash = source_part.rfind('/');
        if (slash != std::string_view::npos) path = std::string{source_part.substr(0, slash + 1)} + path;
    }
    std::vector<std::string_view> segments;
    for (std::string_view rest = path; !rest.empty();) {
        const auto slash = std::min(rest.find('/'), rest.size());
        const auto segment = rest.substr(0, slash);
        rest.remove_prefix(std::min(slash + 1, rest.size()));
        if (segment.empty() || segment == ".") continue;
        if (segment != "..") {
            segments.push_back(segment);
        } else if (segments.empty()) {
            return make_error(ErrorKind::kCorrupt, "a relation leads out of the package");
        } else {
            segments.pop_back();
        }
    }
    std::string part;
    for (const auto segment : segments) part += (part.empty() ? "" : "/") + std::string{segment};
    return part;
}

Result<XlsxLayout> read_layout(const Archive& archive, Language language) {
    const auto package = read_relations(archive, "", language);
    if (!package) return package.error();
    auto workbook_part = part_of_kind(*package, "officeDocument");
    if (workbook_part.empty()) workbook_part = "xl/workbook.xml";
    const auto* entry = archive.find(workbook_part);
    if (entry == nullptr) {
        return make_error(ErrorKind::kCorrupt,
                          say(language, "the workbook part {} is missing from the file; save it again",
                              "文件中缺少工作簿部件 {}，请重新保存", shortened(workbook_part, 100)));
    }
    if (lower_ascii(entry->name).ends_with(".bin")) {
        return make_error(ErrorKind::kInvalidArgument,
                          say(language, "binary workbooks (.xlsb) are not read; save it as .xlsx",
                              "不支持二进制工作簿（.xlsb），请另存为 .xlsx"));
    }
    WorkbookHandler handler;
    if (auto parsed = parse_part(archive, *entry, handler, language); !parsed) return parsed.error();
    const auto relations = read_relations(archive, workbook_part, language);
    if (!relations) return relations.error();
    if (handler.sheets.size() > kMaxSheets) {
        return make_error(ErrorKind::kTooLarge, say(language, "the workbook has more than {} sheets",
                                                    "工作簿的工作表超过 {} 个", kMaxSheets));
    }

    XlsxLayout layout;
    layout.epoch = handler.epoch;
    layout.shared_strings = part_of_kind(*relations, "sharedStrings");
    layout.styles = part_of_kind(*relations, "styles");
    for (auto& sheet : handler.sheets) {
        const auto relation = relations->find(sheet.relation);
        if (relation == relations->end()) {
            return make_error(ErrorKind::kCorrupt,
                              say(language, "sheet '{}' names no part of the file; save it again",
                                  "工作表“{}”没有对应的部件，请重新保存文件", shortened(sheet.name, 100)));
        }
        if (relation->second.kind != "worksheet") continue;
        layout.sheets.push_back({std::move(sheet.name), relation->second.part, sheet.hidden});
    }
    return layout;
}

Result<std::vector<CellFormat>> read_cell_formats(const Archive& archive, const XlsxLayout& layout,
                                                  Language language) {
    StylesHandler handler;
    const auto* entry = layout.styles.empty() ? nullptr : archive.find(layout.styles);
    if (entry == nullptr) return handler.formats;
    if (auto parsed = parse_part(archive, *entry, handler, language); !parsed) return parsed.error();
    return std::move(handler.formats);
}

}  // namespace fieldwarden::supervisor
