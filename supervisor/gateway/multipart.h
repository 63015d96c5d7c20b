// multipart/form-data (RFC 7578, RFC 2046), parsed as it arrives: the file part goes straight to disk, the
// other fields are kept, and everything is bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden::supervisor::gateway {

// The boundary parameter of a Content-Type header; nullopt when it is not multipart/form-data or has no
// usable boundary (1 to 70 characters).
std::optional<std::string> multipart_boundary(std::string_view content_type);

struct PartHeader {
    std::string name;
    std::optional<std::string> file_name;  // set: a file part
};

// Feeds in any slicing of the body; feed() fails on the first violation and must not be called again.
class MultipartParser {
  public:
    struct Sink {
        // A part begins. A failure refuses the upload.
        std::function<Status(const PartHeader&)> begin;
        std::function<Status(std::string_view)> data;
        std::function<Status()> end;
    };
    static constexpr std::size_t kMostHeaderBytes = 8 * 1024;  // of one part
    static constexpr std::size_t kMostParts = 32;

    MultipartParser(std::string_view boundary, Sink sink);

    [[nodiscard]] Status feed(std::string_view bytes);
    // Whether the closing boundary has been seen; a body that ends before it was cut off.
    [[nodiscard]] bool complete() const { return state_ == State::kEpilogue; }

  private:
    enum class State : std::uint8_t { kPreamble, kAfterBoundary, kHeaders, kData, kEpilogue };
    enum class Step : std::uint8_t { kMore, kWait };

    Result<Step> step();
    Result<Step> read_preamble();
    Result<Step> read_after_boundary();
    Result<Step> read_headers();
    Result<Step> read_data();

    std::string delimiter_;  // CRLF "--" boundary
    Sink sink_;
    State state_ = State::kPreamble;
    std::string pending_;  // bytes not yet understood: at most one delimiter or one header block
    std::size_t parts_ = 0;
};

// The header block of a part ("Content-Disposition: form-data; name=…; filename=…").
Result<PartHeader> parse_part_header(std::string_view block);

}  // namespace fieldwarden::supervisor::gateway
