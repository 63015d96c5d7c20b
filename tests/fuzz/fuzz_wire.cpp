// The wire between worker and supervisor: the first byte is the message's type, the rest its payload.
#include <cstdlib>

#include "proto/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwarden;
    if (size == 0) return 0;
    const std::array header{std::byte{'F'}, std::byte{'W'}, std::byte{proto::kWireVersion},
                            std::byte{data[0]}};
    const auto message = proto::decode(header, std::as_bytes(std::span{data + 1, size - 1}));
    if (!message) return 0;
    // What was accepted can be sent on.
    const auto frames = proto::encode(*message);
    if (!proto::decode(frames.header, frames.payload)) std::abort();
    return 0;
}
