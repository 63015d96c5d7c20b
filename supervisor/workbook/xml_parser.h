// A thin, bounded layer over expat: names without prefix, no DOCTYPE (so no entities to expand), limited
// depth and tag length.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/result.h"
#include "supervisor/workbook/language.h"

namespace fieldwarden::supervisor {

struct XmlAttribute {
    std::string_view name;   // with its prefix
    std::string_view value;  // entities resolved
};

// Attributes of the element being started; views are valid during the call.
class XmlAttributes {
  public:
    explicit XmlAttributes(std::span<const XmlAttribute> all) : all_(all) {}
    // By the name without prefix; nullopt when absent.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;

  private:
    std::span<const XmlAttribute> all_;
};

// Receives the events of one XML part. Calls come in document order on the caller's thread.
class XmlHandler {
  public:
    virtual ~XmlHandler() = default;
    virtual void on_start(std::string_view name, const XmlAttributes& attributes) = 0;
    virtual void on_end(std::string_view name) = 0;
    virtual void on_text(std::string_view text) = 0;

    // Ends the parse with this error; the first one counts, and no further event comes.
    void stop(Error error) {
        if (!stopped_) stopped_ = std::move(error);
    }
    [[nodiscard]] const std::optional<Error>& stopped() const { return stopped_; }

  private:
    std::optional<Error> stopped_;
};

// Fills `size` bytes at `into`, returns how many (0 at the end).
using ByteSource = std::function<Result<std::size_t>(char* into, std::size_t size)>;

// The name behind the prefix. Excel, LibreOffice and openpyxl bind the main namespace as default, the Open
// XML SDK as "x:"; the prefix says nothing.
std::string_view local_name(std::string_view name);

// By expat: every encoding and every feature of XML. `part` names the document in messages
// ("xl/workbook.xml").
Status parse_xml(const ByteSource& source, XmlHandler& handler, std::string_view part, Language language);

// The same events for the large parts, several times faster: our own scanner for UTF-8, and expat for the
// rest. tests/fuzz/fuzz_xml.cpp holds the two against each other.
Status scan_xml(const ByteSource& source, XmlHandler& handler, std::string_view part, Language language);

}  // namespace fieldwarden::supervisor
