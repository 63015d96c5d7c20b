// Whatever a device answers: the client never reads past it, takes no more than came, and decodes exactly
// what it asked for. The first two bytes of the input choose the frame kind and the request.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "worker/drivers/mc/end_codes.h"
#include "worker/drivers/mc/mc_frame.h"

using namespace fieldwarden;
using namespace fieldwarden::worker::mc;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    FrameFormat format;
    format.dialect.frame = static_cast<McFrame>(data[0] % 3);
    if (format.is_1e()) format.dialect.series = McSeries::kFx;
    format.encoding = data[0] / 3 % 2 == 0 ? Encoding::kBinary : Encoding::kAscii;
    Request request;
    request.operation = static_cast<Operation>(data[0] / 6 % 5);
    if (format.is_1e() && request.operation == Operation::kReadRandom)
        request.operation = Operation::kReadWords;
    request.points = 1U + data[1];
    if (request.operation == Operation::kReadRandom) {
        request.words.resize(data[1] % 16);
        request.dwords.resize(data[1] / 16);
    }
    std::span<const std::uint8_t> rest{data + 2, size - 2};
    while (!rest.empty()) {
        const auto answer = split_answer(format, request, rest);
        if (answer.kind == Answer::Kind::kBroken && answer.why.empty()) std::abort();
        if (answer.kind != Answer::Kind::kFrame) break;
        if (answer.consumed == 0 || answer.consumed > rest.size()) std::abort();
        std::vector<std::uint16_t> words;
        if (answer.end_code != 0) {
            if (end_code_text(format.is_1e(), answer.end_code, answer.abnormal).empty()) std::abort();
        } else if (decode_data(format, request, answer.data, words)) {
            if (answer.data.size() != answer_bytes(format, request)) std::abort();
        }
        rest = rest.subspan(answer.consumed);
    }
    return 0;
}
