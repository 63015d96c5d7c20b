// The bytes of the spool: segment files and cursor files. Pure encoding and checking, no policy.
//
// Segment file `<first_seq, 20 digits>.seg` (little-endian):
//
//   header   magic "FWSPOOL1"
//            u64  first_seq        seq of the first sample record
//            u64  samples_before   samples ever appended to this spool before this segment
//            i64  created          microseconds since 1970-01-01T00:00:00Z
//            u32  crc32c           of the bytes above
//   records  u32  crc32c           of everything in the record behind it
//            u32  length           of the payload
//            u8   type             1 directory, 2 samples
//            u64  seq              directory: first_seq; samples: rises by one from record to record
//            payload               directory: see encode_directory; samples: common/sample_block.h
//
// The first record is the directory: who the points of the segment are. `samples_before` makes every count of
// pending or lost samples a subtraction instead of a scan.
//
// Cursor file `cursor.<sink>`: two slots of 64 bytes, written in turn, so that a torn write leaves the other:
//   u64 generation (the higher valid one counts), u64 segment, u64 offset, u64 next_seq, u64 samples_total,
//   u32 crc32c of the bytes above, zeros.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/clock.h"
#include "worker/sinks/sink.h"
#include "worker/spool_file.h"

namespace fieldwarden::worker {

inline constexpr std::size_t kSegmentHeaderBytes = 36;
inline constexpr std::size_t kRecordHeaderBytes = 17;
inline constexpr std::uint32_t kMaxRecordBytes = 64U << 20;

struct SegmentHeader {
    std::uint64_t first_seq = 0;
    std::uint64_t samples_before = 0;
    UtcTime created{};
};
void encode_segment_header(const SegmentHeader& header, Bytes& out);
Result<SegmentHeader> decode_segment_header(ByteSpan bytes);

enum class RecordType : std::uint8_t { kDirectory = 1, kSamples = 2 };

// `record` is kRecordHeaderBytes of room followed by the payload; fills the room.
void seal_record(std::span<std::byte> record, RecordType type, std::uint64_t seq);

struct RecordView {
    RecordType type = RecordType::kSamples;
    std::uint64_t seq = 0;
    ByteSpan payload;
    std::size_t bytes = 0;  // header and payload
};
enum class RecordState : std::uint8_t {
    kValid,
    kIncomplete,  // more bytes are needed to say; `bytes` of the view is how many, if the header is there
    kCorrupt,
};
RecordState decode_record(ByteSpan bytes, RecordView& out);

// Number of samples in a sample block, from its header alone; 0 when it has none.
std::uint64_t samples_in_block(ByteSpan block);

// Deterministic: equal directories give equal bytes. Repeated texts are stored once.
Bytes encode_directory(const PointDirectory& directory);
Result<PointDirectory> decode_directory(ByteSpan bytes);
// Tells directories apart without comparing them: derived from the encoded bytes, the same in every process.
std::uint64_t directory_version(ByteSpan encoded);

// A place between two records, and what has passed before it.
struct SpoolPosition {
    std::uint64_t segment = 0;  // first_seq of the segment
    std::uint64_t offset = 0;   // bytes from the start of the segment
    std::uint64_t next_seq = 0;
    std::uint64_t samples_total = 0;  // samples ever appended before this place

    bool operator==(const SpoolPosition&) const = default;
};

class CursorFile {
  public:
    // Reads the position last written; none when the file is new or both slots are damaged.
    static Result<CursorFile> open(FileSystem& files, const std::string& path);
    [[nodiscard]] const std::optional<SpoolPosition>& position() const { return position_; }
    // Not synced: after a power cut an older position may come back, and records are delivered again.
    Status write(const SpoolPosition& position);

  private:
    CursorFile(std::unique_ptr<File> file, std::string path)
        : file_(std::move(file)), path_(std::move(path)) {}

    std::unique_ptr<File> file_;
    std::string path_;
    std::uint64_t generation_ = 0;
    std::optional<SpoolPosition> position_;
};

struct SegmentStart {
    SegmentHeader header;
    Bytes directory;                 // encoded
    std::uint64_t first_record = 0;  // offset of the first sample record
};
// kCorrupt when the header or the directory does not check out.
Result<SegmentStart> read_segment_start(const File& file, const std::string& path);

// What a segment holds from `from` on, found by reading it through.
struct SegmentScan {
    std::uint64_t end = 0;              // offset behind the last valid record
    std::uint64_t next_seq = 0;         // seq behind the last valid record
    std::uint64_t samples = 0;          // in the valid records from `from` on
    std::uint64_t corrupt_records = 0;  // damaged ones with valid ones behind them
    std::uint64_t torn_bytes = 0;       // behind `end`
};
Result<SegmentScan> scan_segment(const File& file, const std::string& path, std::uint64_t from,
                                 std::uint64_t next_seq);

}  // namespace fieldwarden::worker
