// OLE compound files ([MS-CFB]): the container of .xls and of encrypted .xlsx. Read from memory, every offset
// and every chain checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace fieldwarden::supervisor {

inline constexpr std::string_view kCompoundMagic{"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8};

class CompoundFile {
  public:
    // `bytes` must outlive the object. kCorrupt when the allocation table or the directory does not hold
    // together.
    static Result<CompoundFile> open(std::string_view bytes);

    // Streams of the root storage, by name.
    [[nodiscard]] bool has(std::string_view name) const;
    // kNotFound, kCorrupt.
    [[nodiscard]] Result<std::string> stream(std::string_view name) const;

  private:
    struct Stream {
        std::string name;
        std::uint32_t start = 0;
        std::uint64_t size = 0;
    };
    [[nodiscard]] std::optional<std::string_view> sector(std::uint32_t number) const;
    // At most `most` bytes of a chain of sectors.
    [[nodiscard]] Result<std::string> chain(std::uint32_t start, std::uint64_t most) const;
    Status read_allocation_table();
    Status read_directory(std::uint32_t start);

    std::string_view bytes_;
    unsigned sector_shift_ = 9;
    std::uint64_t mini_cutoff_ = 4096;
    std::vector<std::uint32_t> next_;  // per sector
    std::vector<Stream> streams_;
    std::string mini_stream_;
    std::vector<std::uint32_t> mini_next_;
};

}  // namespace fieldwarden::supervisor
