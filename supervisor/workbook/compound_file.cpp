#include "supervisor/workbook/compound_file.h"

#include <algorithm>
#include <cstring>

#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::uint32_t kLastRegularSector = 0xFFFFFFFA;  // above: end of chain, free, table sectors
constexpr std::size_t kHeaderBytes = 512;
constexpr std::size_t kEntryBytes = 128;
constexpr std::size_t kMiniSectorBytes = 64;
constexpr std::uint32_t kNoEntry = 0xFFFFFFFF;

template <class T>
T at(std::string_view bytes, std::size_t offset) {
    T value{};
    if (offset + sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

Error damaged(std::string why) {
    return make_error(ErrorKind::kCorrupt, std::move(why));
}

void append_numbers(std::vector<std::uint32_t>& out, std::string_view bytes) {
    for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) out.push_back(at<std::uint32_t>(bytes, i));
}

std::string entry_name(std::string_view entry) {
    std::string name;
    const auto length = std::min<std::size_t>(at<std::uint16_t>(entry, 0x40), 64);
    for (std::size_t i = 0; i + 2 < length; i += 2) append_utf8(name, at<std::uint16_t>(entry, i));
    return name;
}

}  // namespace

Result<CompoundFile> CompoundFile::open(std::string_view bytes) {
    CompoundFile file;
    file.bytes_ = bytes;
    if (bytes.size() < kHeaderBytes || !bytes.starts_with(kCompoundMagic)) return damaged("no header");
    file.sector_shift_ = at<std::uint16_t>(bytes, 0x1E);
    if (file.sector_shift_ != 9 && file.sector_shift_ != 12) return damaged("unknown sector size");
    if (auto read = file.read_allocation_table(); !read) return read.error();
    if (auto read = file.read_directory(at<std::uint32_t>(bytes, 0x30)); !read) return read.error();
    return file;
}

std::optional<std::string_view> CompoundFile::sector(std::uint32_t number) const {
    const std::uint64_t size = 1ULL << sector_shift_;
    const std::uint64_t offset = (number + 1ULL) << sector_shift_;
    if (number > kLastRegularSector || offset >= bytes_.size()) return std::nullopt;
    // The last sector of a file may be cut short.
    return bytes_.substr(offset, size);
}

Status CompoundFile::read_allocation_table() {
    const std::size_t sectors = (bytes_.size() >> sector_shift_) + 1;
    const std::size_t per_sector = (1ULL << sector_shift_) / 4;
    std::vector<std::uint32_t> table_sectors;
    append_numbers(table_sectors, bytes_.substr(0x4C, 109 * 4));
    std::uint32_t more = at<std::uint32_t>(bytes_, 0x44);
    for (std::size_t steps = 0; more <= kLastRegularSector; ++steps) {
        const auto list = sector(more);
        if (!list || list->size() < per_sector * 4 || steps > sectors)
            return damaged("the table of tables is broken");
        append_numbers(table_sectors, list->substr(0, (per_sector - 1) * 4));
        more = at<std::uint32_t>(*list, (per_sector - 1) * 4);
    }
    for (const auto number : table_sectors) {
        if (number > kLastRegularSector) continue;
        const auto table = sector(number);
        if (!table) return damaged("the allocation table lies beyond the end of the file");
        append_numbers(next_, *table);
        if (next_.size() > sectors + per_sector) break;  // describes more than there is
    }
    return {};
}

Result<std::string> CompoundFile::chain(std::uint32_t start, std::uint64_t most) const {
    std::string all;
    std::size_t steps = 0;
    for (auto number = start; number <= kLastRegularSector && all.size() < most; number = next_[number]) {
        const auto piece = sector(number);
        if (!piece || number >= next_.size() || ++steps > next_.size()) {
            return damaged("a chain of sectors leads nowhere; the file is incomplete");
        }
        all += *piece;
    }
    if (all.size() > most) all.resize(most);
    return all;
}

Status CompoundFile::read_directory(std::uint32_t start) {
    const auto directory = chain(start, bytes_.size());
    if (!directory) return directory.error();
    const std::string_view entries = *directory;
    const auto count = entries.size() / kEntryBytes;
    if (count == 0) return damaged("the directory is empty");
    const auto entry = [&](std::size_t index) { return entries.substr(index * kEntryBytes, kEntryBytes); };

    // The members of the root storage form a binary tree of left and right siblings.
    std::vector<std::uint32_t> open{at<std::uint32_t>(entry(0), 0x4C)};
    for (std::size_t seen = 0; !open.empty(); ++seen) {
        const auto index = open.back();
        open.pop_back();
        if (index == kNoEntry) continue;
        if (index >= count || seen > 2 * count) return damaged("the directory is broken");
        const auto member = entry(index);
        open.push_back(at<std::uint32_t>(member, 0x44));
        open.push_back(at<std::uint32_t>(member, 0x48));
        constexpr char kStreamType = 2;
        if (member[0x42] != kStreamType) continue;
        auto size = at<std::uint64_t>(member, 0x78);
        if (sector_shift_ == 9) size &= 0xFFFFFFFF;
        streams_.push_back({entry_name(member), at<std::uint32_t>(member, 0x74), size});
    }

    const auto mini = chain(at<std::uint32_t>(entry(0), 0x74), at<std::uint32_t>(entry(0), 0x78));
    const auto mini_table = chain(at<std::uint32_t>(bytes_, 0x3C), bytes_.size());
    if (mini && mini_table) {
        mini_stream_ = *mini;
        append_numbers(mini_next_, *mini_table);
    }
    return {};
}

bool CompoundFile::has(std::string_view name) const {
    return std::any_of(streams_.begin(), streams_.end(),
                       [&](const Stream& stream) { return stream.name == name; });
}

Result<std::string> CompoundFile::stream(std::string_view name) const {
    const auto found = std::find_if(streams_.begin(), streams_.end(),
                                    [&](const Stream& stream) { return stream.name == name; });
    if (found == streams_.end()) return make_error(ErrorKind::kNotFound, "no such stream");
    if (found->size > bytes_.size())
        return damaged("a stream is longer than the file; the file is incomplete");
    if (found->size >= mini_cutoff_) {
        auto all = chain(found->start, found->size);
        if (all && all->size() < found->size) return damaged("a stream ends early; the file is incomplete");
        return all;
    }
    std::string all;
    std::size_t steps = 0;
    for (auto number = found->start; number <= kLastRegularSector && all.size() < found->size;
         number = mini_next_[number]) {
        const std::uint64_t offset = std::uint64_t{number} * kMiniSectorBytes;
        if (number >= mini_next_.size() || offset >= mini_stream_.size() || ++steps > mini_next_.size()) {
            return damaged("a chain of small sectors leads nowhere; the file is incomplete");
        }
        all += std::string_view{mini_stream_}.substr(offset, kMiniSectorBytes);
    }
    if (all.size() < found->size) return damaged("a stream ends early; the file is incomplete");
    all.resize(found->size);
    return all;
}

}  // namespace fieldwarden::supervisor
