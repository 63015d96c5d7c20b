// A zip file read with bounds: the number of entries, the size of the directory and all bytes unpacked.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "supervisor/workbook/language.h"
#include "supervisor/workbook/xml_parser.h"

struct zip;

namespace fieldwarden::supervisor {

// One thread at a time; open the file twice to read two entries at once.
class Archive {
  public:
    // `inflated` is shared by all archives of one import, so that the limit holds for their sum.
    static Result<Archive> open(const std::string& path, std::shared_ptr<std::atomic<std::uint64_t>> inflated,
                                Language language);

    struct Entry {
        std::string name;  // UTF-8, '/' as separator
        std::uint64_t index = 0;
        bool encrypted = false;
    };
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    // Without regard to ASCII case, as part names of OPC compare.
    [[nodiscard]] const Entry* find(std::string_view name) const;

    // Unpacks an entry piece by piece. The source must not outlive the archive.
    [[nodiscard]] Result<ByteSource> stream(const Entry& entry) const;
    // All of an entry of at most `most` bytes.
    [[nodiscard]] Result<std::string> content(const Entry& entry, std::uint64_t most) const;

  private:
    struct Close {
        void operator()(zip* archive) const;
    };
    std::unique_ptr<zip, Close> archive_;
    std::vector<Entry> entries_;
    std::shared_ptr<std::atomic<std::uint64_t>> inflated_;
    Language language_ = Language::kEnglish;
};

}  // namespace fieldwarden::supervisor
