// Sample blocks: what decodes encodes to something that decodes to the same.
#include <cstdlib>

#include "common/sample_block.h"
#include "tests/unit/common/random_samples.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwarden;
    SampleBatch samples;
    if (!decode_sample_block(std::as_bytes(std::span{data, size}), samples)) {
        if (!samples.empty()) std::abort();
        return 0;
    }
    Bytes block;
    encode_sample_block(samples, block);
    SampleBatch again;
    if (!decode_sample_block(block, again) || !same_bits(samples, again)) std::abort();
    return 0;
}
