#include "common/gzip.h"

#include <zlib.h>

namespace fieldwarden {

namespace {
// Lines repeat themselves so much that the fastest level takes nearly all there is to take.
constexpr int kLevel = 1;
constexpr int kGzipWindow = 15 + 16;  // 16: with gzip's header and trailer
constexpr int kMemoryLevel = 8;
}  // namespace

std::string gzipped(std::string_view text) {
    z_stream stream{};
    if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
        return {};
    }
    std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
    // zlib's input is not const by oversight only.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    out.resize(done ? stream.total_out : 0);
    deflateEnd(&stream);
    return out;
}

}  // namespace fieldwarden
