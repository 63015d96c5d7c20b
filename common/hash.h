// CRC32C (Castagnoli, reflected, initial and final inversion): the checksum of spool records.
#pragma once

#include <boost/crc.hpp>
#include <cstdint>

#include "common/bytes.h"

namespace fieldwarden {

inline std::uint32_t crc32c(ByteSpan bytes) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(bytes.data(), bytes.size());
    return crc.checksum();
}

}  // namespace fieldwarden
