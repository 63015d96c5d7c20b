// Multipart bodies: whatever the bytes and however they are sliced, the parser gives the same parts and the
// same verdict.
#include <cstdlib>
#include <string>

#include "supervisor/gateway/multipart.h"

using namespace fieldwarden;
using namespace fieldwarden::supervisor::gateway;

namespace {

struct Outcome {
    std::string seen;
    bool ok = true;
    bool complete = false;
    bool operator==(const Outcome&) const = default;
};

Outcome parse(std::string_view body, std::size_t slice) {
    Outcome outcome;
    MultipartParser parser("XX", {[&](const PartHeader& header) -> Status {
                                      outcome.seen +=
                                          "<" + header.name + "|" + header.file_name.value_or("-") + ">";
                                      return {};
                                  },
                                  [&](std::string_view data) -> Status {
                                      outcome.seen += data;
                                      return {};
                                  },
                                  [&]() -> Status {
                                      outcome.seen += "</>";
                                      return {};
                                  }});
    while (!body.empty() && outcome.ok) {
        const auto size = std::min(slice, body.size());
        outcome.ok = parser.feed(body.substr(0, size)).has_value();
        body.remove_prefix(size);
    }
    outcome.complete = parser.complete();
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t slice = 1 + data[0] % 64;
    const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto whole = parse(body, body.size() + 1);
    const auto sliced = parse(body, slice);
    // A failure may come earlier in one than in the other, but never in only one of them.
    if (whole.ok != sliced.ok) std::abort();
    if (whole.ok && whole != sliced) std::abort();
    return 0;
}
