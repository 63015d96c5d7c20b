#include "supervisor/workbook/xml_parser.h"

#include <expat.h>

#include <memory>

#include "supervisor/workbook/limits.h"

namespace fieldwarden::supervisor {

namespace {

// Excel, LibreOffice and openpyxl bind the main namespace as default, the Open XML SDK as "x:": the prefix
// says nothing.
std::string_view local_name(const char* name) {
    const std::string_view whole{name};
    const auto colon = whole.rfind(':');
    return colon == std::string_view::npos ? whole : whole.substr(colon + 1);
}

}  // namespace

std::optional<std::string_view> XmlAttributes::find(std::string_view name) const {
    for (const char** pair = pairs_; pair[0] != nullptr; pair += 2) {
        if (local_name(pair[0]) == name) return pair[1];
    }
    return std::nullopt;
}

void XmlHandler::stop(Error error) {
    if (!stopped_) stopped_ = std::move(error);
    if (parser_ != nullptr) XML_StopParser(parser_, XML_FALSE);
}

class XmlRun {
  public:
    XmlRun(XmlHandler& handler, std::string_view part, Language language)
        : handler_(handler), part_(part), language_(language), parser_(XML_ParserCreate(nullptr)) {
        handler_.parser_ = parser_.get();
        if (!parser_) return;
        XML_SetUserData(parser_.get(), this);
        XML_SetElementHandler(parser_.get(), &XmlRun::start, &XmlRun::end);
        XML_SetCharacterDataHandler(parser_.get(), &XmlRun::text);
        XML_SetStartDoctypeDeclHandler(parser_.get(), &XmlRun::doctype);
    }
    XmlRun(const XmlRun&) = delete;
    XmlRun& operator=(const XmlRun&) = delete;
    ~XmlRun() { handler_.parser_ = nullptr; }

    Status run(const ByteSource& source) {
        constexpr int kChunk = 64 * 1024;
        if (!parser_) return make_error(ErrorKind::kInternal, "out of memory for an XML parser");
        XML_Index fed = 0;
        for (bool last = false; !last;) {
            void* const buffer = XML_GetBuffer(parser_.get(), kChunk);
            if (buffer == nullptr) return make_error(ErrorKind::kInternal, "out of memory for an XML parser");
            const auto got = source(static_cast<char*>(buffer), kChunk);
            if (!got) return got.error();
            last = *got == 0;
            fed += static_cast<XML_Index>(*got);
            if (XML_ParseBuffer(parser_.get(), static_cast<int>(*got), last ? 1 : 0) == XML_STATUS_ERROR) {
                return failure();
            }
            if (const auto done = XML_GetCurrentByteIndex(parser_.get());
                done >= 0 && fed - done > static_cast<XML_Index>(kMaxXmlTokenBytes)) {
                return make_error(
                    ErrorKind::kTooLarge,
                    say(language_, "{}: a single tag is longer than {} KB; this is no spreadsheet",
                        "{}：单个标记超过 {} KB，不是电子表格", part_, kMaxXmlTokenBytes >> 10U));
            }
        }
        return {};
    }

  private:
    static XmlRun& self(void* user) { return *static_cast<XmlRun*>(user); }

    static void start(void* user, const char* name, const char** attributes) {
        auto& run = self(user);
        if (++run.depth_ > kMaxXmlDepth) {
            run.handler_.stop(
                make_error(ErrorKind::kCorrupt, say(run.language_, "{}: elements are nested deeper than {}",
                                                    "{}：元素嵌套超过 {} 层", run.part_, kMaxXmlDepth)));
            return;
        }
        if (!run.handler_.stopped_) run.handler_.on_start(local_name(name), XmlAttributes{attributes});
    }
    static void end(void* user, const char* name) {
        auto& run = self(user);
        --run.depth_;
        if (!run.handler_.stopped_) run.handler_.on_end(local_name(name));
    }
    static void text(void* user, const char* text, int length) {
        auto& run = self(user);
        if (!run.handler_.stopped_) run.handler_.on_text({text, static_cast<std::size_t>(length)});
    }
    static void doctype(void* user, const char*, const char*, const char*, int) {
        auto& run = self(user);
        run.handler_.stop(
            make_error(ErrorKind::kCorrupt,
                       say(run.language_,
                           "{}: holds a DOCTYPE, which no spreadsheet program writes; the file was refused",
                           "{}：包含 DOCTYPE，任何电子表格软件都不会写入，文件已被拒绝", run.part_)));
    }

    Error failure() const {
        if (handler_.stopped_) return *handler_.stopped_;
        return make_error(
            ErrorKind::kCorrupt,
            say(language_, "{} line {}: {}; the file is damaged, save it again and retry",
                "{} 第 {} 行：{}；文件已损坏，请重新保存后再试", part_,
                XML_GetCurrentLineNumber(parser_.get()), XML_ErrorString(XML_GetErrorCode(parser_.get()))));
    }

    struct Free {
        void operator()(XML_ParserStruct* parser) const { XML_ParserFree(parser); }
    };
    XmlHandler& handler_;
    std::string_view part_;
    Language language_;
    std::unique_ptr<XML_ParserStruct, Free> parser_;
    unsigned depth_ = 0;
};

Status parse_xml(const ByteSource& source, XmlHandler& handler, std::string_view part, Language language) {
    return XmlRun{handler, part, language}.run(source);
}

}  // namespace fieldwarden::supervisor
