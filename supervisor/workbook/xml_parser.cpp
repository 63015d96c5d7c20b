#include "supervisor/workbook/xml_parser.h"

#include <expat.h>

#include <memory>
#include <vector>

#include "supervisor/workbook/limits.h"

namespace fieldwarden::supervisor {

std::string_view local_name(std::string_view name) {
    const auto colon = name.rfind(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

std::optional<std::string_view> XmlAttributes::find(std::string_view name) const {
    for (const auto& attribute : all_) {
        if (attribute.name.size() < name.size() || attribute.name.back() != name.back()) continue;
        if (!attribute.name.ends_with(name)) continue;
        const auto prefix = attribute.name.size() - name.size();
        if (prefix == 0 || attribute.name[prefix - 1] == ':') return attribute.value;
    }
    return std::nullopt;
}

namespace {

class XmlRun {
  public:
    XmlRun(XmlHandler& handler, std::string_view part, Language language)
        : handler_(handler), part_(part), language_(language), parser_(XML_ParserCreate(nullptr)) {
        if (!parser_) return;
        XML_SetUserData(parser_.get(), this);
        XML_SetElementHandler(parser_.get(), &XmlRun::start, &XmlRun::end);
        XML_SetCharacterDataHandler(parser_.get(), &XmlRun::text);
        XML_SetStartDoctypeDeclHandler(parser_.get(), &XmlRun::doctype);
    }

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
            run.stop(
                make_error(ErrorKind::kCorrupt, say(run.language_, "{}: elements are nested deeper than {}",
                                                    "{}：元素嵌套超过 {} 层", run.part_, kMaxXmlDepth)));
            return;
        }
        if (run.handler_.stopped()) return;
        run.attributes_.clear();
        for (const char** pair = attributes; pair[0] != nullptr; pair += 2) {
            run.attributes_.push_back({pair[0], pair[1]});
        }
        run.handler_.on_start(local_name(name), XmlAttributes{run.attributes_});
        run.halt_if_stopped();
    }
    static void end(void* user, const char* name) {
        auto& run = self(user);
        --run.depth_;
        if (run.handler_.stopped()) return;
        run.handler_.on_end(local_name(name));
        run.halt_if_stopped();
    }
    static void text(void* user, const char* text, int length) {
        auto& run = self(user);
        if (run.handler_.stopped()) return;
        run.handler_.on_text({text, static_cast<std::size_t>(length)});
        run.halt_if_stopped();
    }
    static void doctype(void* user, const char*, const char*, const char*, int) {
        auto& run = self(user);
        run.stop(
            make_error(ErrorKind::kCorrupt,
                       say(run.language_,
                           "{}: holds a DOCTYPE, which no spreadsheet program writes; the file was refused",
                           "{}：包含 DOCTYPE，任何电子表格软件都不会写入，文件已被拒绝", run.part_)));
    }

    void stop(Error error) {
        handler_.stop(std::move(error));
        halt_if_stopped();
    }
    void halt_if_stopped() {
        if (handler_.stopped()) XML_StopParser(parser_.get(), XML_FALSE);
    }

    Error failure() const {
        if (handler_.stopped()) return *handler_.stopped();
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
    std::vector<XmlAttribute> attributes_;
};

}  // namespace

Status parse_xml(const ByteSource& source, XmlHandler& handler, std::string_view part, Language language) {
    return XmlRun{handler, part, language}.run(source);
}

}  // namespace fieldwarden::supervisor
