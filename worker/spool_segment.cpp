#include "worker/spool_segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "common/hash.h"

namespace fieldwarden::worker {

namespace {

constexpr std::uint64_t kSegmentMagic = 0x314c4f4f50535746;  // "FWSPOOL1"
// Format 1 has no stable_name; it is still read.
constexpr std::uint8_t kDirectoryFormat = 2;
constexpr std::size_t kCursorSlotBytes = 64;
constexpr std::size_t kScanChunkBytes = 256U << 10;

}  // namespace

void encode_segment_header(const SegmentHeader& header, Bytes& out) {
    const auto start = out.size();
    ByteWriter writer{out};
    writer.put(kSegmentMagic);
    writer.put(header.first_seq);
    writer.put(header.samples_before);
    writer.put<std::int64_t>(header.created.time_since_epoch().count());
    writer.put(crc32c(ByteSpan{out}.subspan(start)));
}

Result<SegmentHeader> decode_segment_header(ByteSpan bytes) {
    ByteReader reader{bytes};
    SegmentHeader header;
    const auto magic = reader.get<std::uint64_t>();
    header.first_seq = reader.get<std::uint64_t>();
    header.samples_before = reader.get<std::uint64_t>();
    header.created = UtcTime{std::chrono::microseconds{reader.get<std::int64_t>()}};
    const auto crc = reader.get<std::uint32_t>();
    if (reader.failed()) return make_error(ErrorKind::kCorrupt, "the segment header is cut short");
    if (magic != kSegmentMagic) return make_error(ErrorKind::kCorrupt, "not a spool segment");
    if (crc != crc32c(bytes.first(kSegmentHeaderBytes - sizeof(crc)))) {
        return make_error(ErrorKind::kCorrupt, "the checksum of the segment header is wrong");
    }
    return header;
}

void seal_record(std::span<std::byte> record, RecordType type, std::uint64_t seq) {
    const auto length = static_cast<std::uint32_t>(record.size() - kRecordHeaderBytes);
    std::memcpy(record.data() + 4, &length, sizeof(length));
    std::memcpy(record.data() + 8, &type, sizeof(type));
    std::memcpy(record.data() + 9, &seq, sizeof(seq));
    const auto crc = crc32c(ByteSpan{record}.subspan(4));
    std::memcpy(record.data(), &crc, sizeof(crc));
}

RecordState decode_record(ByteSpan bytes, RecordView& out) {
    out = {};
    if (bytes.size() < kRecordHeaderBytes) return RecordState::kIncomplete;
    ByteReader reader{bytes};
    const auto crc = reader.get<std::uint32_t>();
    const auto length = reader.get<std::uint32_t>();
    const auto type = reader.get<std::uint8_t>();
    out.seq = reader.get<std::uint64_t>();
    if (length > kMaxRecordBytes || (type != static_cast<std::uint8_t>(RecordType::kDirectory) &&
                                     type != static_cast<std::uint8_t>(RecordType::kSamples))) {
        return RecordState::kCorrupt;
    }
    out.type = static_cast<RecordType>(type);
    out.bytes = kRecordHeaderBytes + length;
    if (bytes.size() < out.bytes) return RecordState::kIncomplete;
    out.payload = bytes.subspan(kRecordHeaderBytes, length);
    if (crc != crc32c(bytes.subspan(4, out.bytes - 4))) return RecordState::kCorrupt;
    return RecordState::kValid;
}

std::uint64_t samples_in_block(ByteSpan block) {
    ByteReader reader{block};
    (void)reader.get<std::uint8_t>();
    const auto count = reader.get_varint();
    return reader.failed() ? 0 : count;
}

Bytes encode_directory(const PointDirectory& directory) {
    // Texts in order of first use, so that the bytes depend on the content alone.
    std::unordered_map<std::string_view, std::size_t> known;
    std::vector<std::string_view> texts;
    const auto index_of = [&](std::string_view text) {
        const auto [found, added] = known.try_emplace(text, texts.size());
        if (added) texts.push_back(text);
        return found->second;
    };
    Bytes body;
    ByteWriter writer{body};
    PointId previous = 0;
    for (const auto& [id, point] : directory) {
        writer.put_varint(id - previous);
        previous = id;
        for (const auto* text : {&point.site_code, &point.device_code, &point.device_name, &point.type_code,
                                 &point.unit, &point.stable_name}) {
            writer.put_varint(index_of(*text));
        }
        writer.put_text(point.point_code);
        writer.put(point.data_type.base);
        writer.put_varint(point.data_type.length);
    }
    Bytes out;
    ByteWriter head{out};
    head.put(kDirectoryFormat);
    head.put_varint(texts.size());
    for (const auto text : texts) head.put_text(text);
    head.put_varint(directory.size());
    head.put_bytes(body);
    return out;
}

Result<PointDirectory> decode_directory(ByteSpan bytes) {
    const auto corrupt = [] {
        return make_error(ErrorKind::kCorrupt, "the point directory does not decode");
    };
    ByteReader reader{bytes};
    const auto format = reader.get<std::uint8_t>();
    if (format < 1 || format > kDirectoryFormat) return corrupt();
    const auto text_count = reader.get_varint();
    if (text_count > reader.remaining()) return corrupt();
    std::vector<std::string_view> texts;
    texts.reserve(text_count);
    for (std::uint64_t i = 0; i < text_count; ++i) texts.push_back(reader.get_text());
    const auto point_count = reader.get_varint();
    if (reader.failed() || point_count > reader.remaining()) return corrupt();
    PointDirectory directory;
    std::uint64_t id = 0;
    for (std::uint64_t i = 0; i < point_count; ++i) {
        id += reader.get_varint();
        PointIdentity point;
        for (auto* text : {&point.site_code, &point.device_code, &point.device_name, &point.type_code,
                           &point.unit, &point.stable_name}) {
            if (format == 1 && text == &point.stable_name) continue;
            const auto index = reader.get_varint();
            if (index >= texts.size()) return corrupt();
            *text = texts[index];
        }
        point.point_code = reader.get_text();
        point.data_type.base = reader.get<BaseType>();
        const auto length = reader.get_varint();
        if (reader.failed() || id > UINT32_MAX || point.data_type.base > BaseType::kString ||
            length > UINT16_MAX) {
            return corrupt();
        }
        point.data_type.length = static_cast<std::uint16_t>(length);
        directory.emplace_hint(directory.end(), static_cast<PointId>(id), std::move(point));
    }
    if (reader.remaining() != 0) return corrupt();
    return directory;
}

std::uint64_t directory_version(ByteSpan encoded) {
    // FNV-1a: 64 bits, so that two directories of one task practically never share a version.
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const auto byte : encoded) hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3;
    return hash;
}

Result<CursorFile> CursorFile::open(FileSystem& files, const std::string& path) {
    auto file = files.open(path, OpenMode::kReadWrite);
    if (!file) return file.error();
    CursorFile cursor{std::move(*file), path};
    std::array<std::byte, 2 * kCursorSlotBytes> slots{};
    const auto read = read_up_to(*cursor.file_, slots, 0, path);
    if (!read) return read.error();
    for (const std::size_t slot : {std::size_t{0}, kCursorSlotBytes}) {
        const ByteSpan bytes{slots.data() + slot, kCursorSlotBytes};
        ByteReader reader{bytes};
        const auto generation = reader.get<std::uint64_t>();
        SpoolPosition position;
        position.segment = reader.get<std::uint64_t>();
        position.offset = reader.get<std::uint64_t>();
        position.next_seq = reader.get<std::uint64_t>();
        position.samples_total = reader.get<std::uint64_t>();
        const auto checked = reader.position();
        const auto crc = reader.get<std::uint32_t>();
        if (crc == crc32c(bytes.first(checked)) && generation > cursor.generation_) {
            cursor.generation_ = generation;
            cursor.position_ = position;
        }
    }
    return cursor;
}

Status CursorFile::write(const SpoolPosition& position) {
    Bytes slot;
    slot.reserve(kCursorSlotBytes);
    ByteWriter writer{slot};
    writer.put(generation_ + 1);
    writer.put(position.segment);
    writer.put(position.offset);
    writer.put(position.next_seq);
    writer.put(position.samples_total);
    writer.put(crc32c(slot));
    slot.resize(kCursorSlotBytes);
    if (const int error = write_all(*file_, slot, (generation_ + 1) % 2 * kCursorSlotBytes); error != 0) {
        return make_error(ErrorKind::kIo,
                          fmt::format("cannot write the cursor {}: {}", path_, errno_text(error)));
    }
    ++generation_;
    position_ = position;
    return {};
}

namespace {

// Reads records one after another through a window that holds at most one chunk or one record.
class RecordWindow {
  public:
    RecordWindow(const File& file, const std::string& path) : file_(file), path_(path) {}

    Result<RecordState> at(std::uint64_t offset, RecordView& out) {
        auto bytes = window(offset, kRecordHeaderBytes);
        if (!bytes) return bytes.error();
        RecordState state = decode_record(*bytes, out);
        if (state == RecordState::kIncomplete && out.bytes > 0) {
            bytes = window(offset, out.bytes);
            if (!bytes) return bytes.error();
            state = decode_record(*bytes, out);
        }
        return state;
    }

  private:
    // At least `wanted` bytes from `offset` on, unless the file ends before. A length claimed by damaged
    // bytes takes no more memory than the file has bytes.
    Result<ByteSpan> window(std::uint64_t offset, std::size_t wanted) {
        if (offset < start_ || offset + wanted > start_ + bytes_.size()) {
            const auto file_size = file_.size();
            if (!file_size) return file_size.error();
            const std::uint64_t left = *file_size > offset ? *file_size - offset : 0;
            bytes_.resize(std::min<std::uint64_t>(std::max(wanted, kScanChunkBytes), left));
            const auto read = read_up_to(file_, bytes_, offset, path_);
            if (!read) return read.error();
            bytes_.resize(*read);
            start_ = offset;
        }
        return ByteSpan{bytes_}.subspan(offset - start_);
    }

    const File& file_;
    const std::string& path_;
    Bytes bytes_;
    std::uint64_t start_ = 0;
};

}  // namespace

Result<SegmentStart> read_segment_start(const File& file, const std::string& path) {
    const auto corrupt = [&](std::string_view why) {
        return make_error(ErrorKind::kCorrupt, fmt::format("spool segment {}: {}", path, why));
    };
    std::array<std::byte, kSegmentHeaderBytes> head{};
    const auto read = read_up_to(file, head, 0, path);
    if (!read) return read.error();
    const auto header = decode_segment_header(ByteSpan{head}.first(*read));
    if (!header) return corrupt(header.error().message);
    RecordWindow window{file, path};
    RecordView record;
    const auto state = window.at(kSegmentHeaderBytes, record);
    if (!state) return state.error();
    if (*state != RecordState::kValid || record.type != RecordType::kDirectory) {
        return corrupt("the point directory is damaged");
    }
    SegmentStart start;
    start.header = *header;
    start.directory.assign(record.payload.begin(), record.payload.end());
    start.first_record = kSegmentHeaderBytes + record.bytes;
    return start;
}

Result<SegmentScan> scan_segment(const File& file, const std::string& path, std::uint64_t from,
                                 std::uint64_t next_seq) {
    const auto size = file.size();
    if (!size) return size.error();
    SegmentScan scan;
    scan.end = from;
    scan.next_seq = next_seq;
    RecordWindow window{file, path};
    std::uint64_t offset = from;
    std::uint64_t passed_corrupt = 0;
    while (offset < *size) {
        RecordView record;
        const auto state = window.at(offset, record);
        if (!state) return state.error();
        const bool in_order = record.type == RecordType::kDirectory || record.seq >= scan.next_seq;
        if (*state == RecordState::kValid && in_order) {
            if (record.type == RecordType::kSamples) {
                scan.samples += samples_in_block(record.payload);
                scan.next_seq = record.seq + 1;
            }
            offset += record.bytes;
            scan.end = offset;
            scan.corrupt_records += std::exchange(passed_corrupt, 0);
            continue;
        }
        // One damaged record does not hide the ones behind it as long as its length is still true: then a
        // valid record follows. Otherwise this is the torn tail.
        if (*state != RecordState::kCorrupt || record.bytes == 0) break;
        ++passed_corrupt;
        offset += record.bytes;
    }
    scan.torn_bytes = *size - scan.end;
    return scan;
}

}  // namespace fieldwarden::worker
