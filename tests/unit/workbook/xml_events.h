// The events of an XML document as one text, for holding two parsers against each other.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "supervisor/workbook/xml_parser.h"

namespace fieldwarden::supervisor {

class EventText final : public XmlHandler {
  public:
    void on_start(std::string_view name, const XmlAttributes& attributes) override {
        text_ += "<" + std::string{name};
        // Those a reader asks for, and the ones of the tests.
        for (const auto* const each : {"r", "s", "t", "a", "b", "c", "编码"}) {
            if (const auto value = attributes.find(each)) {
                text_ += " " + std::string{each} + "=" + std::string{*value};
            }
        }
        text_ += ">";
    }
    void on_end(std::string_view name) override { text_ += "</" + std::string{name} + ">"; }
    void on_text(std::string_view text) override { text_ += text; }
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    std::string text_;
};

// "refused" for a document that the parser does not take.
template <class Parse>
std::string events_of(Parse parse, std::string_view document, std::size_t piece) {
    EventText events;
    std::size_t given = 0;
    const ByteSource source = [&](char* into, std::size_t size) -> Result<std::size_t> {
        const auto count = std::min({size, piece, document.size() - given});
        std::memcpy(into, document.data() + given, count);
        given += count;
        return count;
    };
    return parse(source, events, "document", Language::kEnglish) ? events.text() : "refused";
}

}  // namespace fieldwarden::supervisor
