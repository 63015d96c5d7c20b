// A thin, bounded layer over expat: names without prefix, no DOCTYPE (so no entities to expand), limited
// depth and tag length.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "supervisor/workbook/language.h"

struct XML_ParserStruct;

namespace fieldwarden::supervisor {

// Attributes of the element being started; views are valid during the call.
class XmlAttributes {
  public:
    explicit XmlAttributes(const char** pairs) : pairs_(pairs) {}
    // By the name without prefix; nullopt when absent.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;

  private:
    const char** pairs_;
};

// Receives the events of one XML part. Calls come in document order on the caller's thread.
class XmlHandler {
  public:
    virtual ~XmlHandler() = default;
    virtual void on_start(std::string_view name, const XmlAttributes& attributes) = 0;
    virtual void on_end(std::string_view name) = 0;
    virtual void on_text(std::string_view text) = 0;

    // Ends the parse with this error; the first one counts.
    void stop(Error error);
    [[nodiscard]] const std::optional<Error>& stopped() const { return stopped_; }

  private:
    friend class XmlRun;
    std::optional<Error> stopped_;
    XML_ParserStruct* parser_ = nullptr;
};

// Fills `size` bytes at `into`, returns how many (0 at the end).
using ByteSource = std::function<Result<std::size_t>(char* into, std::size_t size)>;

// `part` names the document in messages ("xl/workbook.xml").
Status parse_xml(const ByteSource& source, XmlHandler& handler, std::string_view part, Language language);

}  // namespace fieldwarden::supervisor
