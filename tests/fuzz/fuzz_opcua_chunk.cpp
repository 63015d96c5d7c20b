// Chunks of any bytes, in every security mode: opened or refused, and never a body outside the chunk.
#include <cstdlib>

#include "worker/drivers/opcua/chunks.h"

using namespace fieldwarden::worker::opcua;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto keys = derive_keys(Buffer{1}, Buffer{2});
    const View given{data, size};
    (void)parse_chunk_header(given, 65'535).has_value();
    (void)open_open(given, {}).has_value();
    (void)Certificate::parse(given).has_value();
    for (const auto mode : {SecurityMode::kNone, SecurityMode::kSign, SecurityMode::kSignAndEncrypt}) {
        Buffer chunk{given.begin(), given.end()};
        const auto opened = open(chunk, mode, keys);
        if (opened && !opened->body.empty() &&
            (opened->body.data() < chunk.data() ||
             opened->body.data() + opened->body.size() > chunk.data() + chunk.size()))
            std::abort();
        // As a body it comes back whole.
        if (size > 8'000) continue;
        auto sealed = seal(ChunkType::kMessage, 'F', 1, 2, {3, 4}, given, mode, keys);
        if (!sealed) std::abort();
        const auto again = open(*sealed, mode, keys);
        if (!again || !equal(again->body, given)) std::abort();
    }
    return 0;
}
