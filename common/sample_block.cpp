#include "common/sample_block.h"

#include <fmt/format.h>

namespace fieldwarden {

namespace {

constexpr std::uint8_t kFormat = 1;

enum class ValueKind : std::uint8_t { kNone, kFalse, kTrue, kSigned, kUnsigned, kFloat64, kText, kFloat32 };

std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// Compared by bits: a NaN or a negative zero must come back as it was.
bool fits_float(double value) {
    const auto narrow = static_cast<float>(value);
    return std::bit_cast<std::uint64_t>(static_cast<double>(narrow)) == std::bit_cast<std::uint64_t>(value);
}

ValueKind kind_of(const Value& value) {
    switch (value.index()) {
        case 0:
            return ValueKind::kNone;
        case 1:
            return std::get<bool>(value) ? ValueKind::kTrue : ValueKind::kFalse;
        case 2:
            return ValueKind::kSigned;
        case 3:
            return ValueKind::kUnsigned;
        case 4:
            return fits_float(std::get<double>(value)) ? ValueKind::kFloat32 : ValueKind::kFloat64;
        default:
            return ValueKind::kText;
    }
}

void put_value(ByteWriter& writer, ValueKind kind, const Value& value) {
    switch (kind) {
        case ValueKind::kNone:
        case ValueKind::kFalse:
        case ValueKind::kTrue:
            return;
        case ValueKind::kSigned:
            writer.put_varint(zigzag(std::get<std::int64_t>(value)));
            return;
        case ValueKind::kUnsigned:
            writer.put_varint(std::get<std::uint64_t>(value));
            return;
        case ValueKind::kFloat64:
            writer.put(std::get<double>(value));
            return;
        case ValueKind::kFloat32:
            writer.put(static_cast<float>(std::get<double>(value)));
            return;
        case ValueKind::kText:
            writer.put_text(std::get<std::string>(value));
            return;
    }
}

Value get_value(ByteReader& reader, ValueKind kind) {
    switch (kind) {
        case ValueKind::kNone:
            return {};
        case ValueKind::kFalse:
            return false;
        case ValueKind::kTrue:
            return true;
        case ValueKind::kSigned:
            return unzigzag(reader.get_varint());
        case ValueKind::kUnsigned:
            return reader.get_varint();
        case ValueKind::kFloat64:
            return reader.get<double>();
        case ValueKind::kFloat32:
            return static_cast<double>(reader.get<float>());
        case ValueKind::kText:
            return std::string{reader.get_text()};
    }
    return {};
}

}  // namespace

void encode_sample_block(std::span<const Sample> samples, Bytes& out) {
    ByteWriter writer{out};
    const UtcTime base = samples.empty() ? UtcTime{} : samples.front().time;
    bool one_time = true;
    for (const auto& sample : samples) one_time = one_time && sample.time == base;

    out.reserve(out.size() + 16 + samples.size() * 8);
    writer.put(kFormat);
    writer.put_varint(samples.size());
    writer.put<std::uint8_t>(one_time ? 1 : 0);
    writer.put<std::int64_t>(base.time_since_epoch().count());
    std::int64_t previous_point = 0;
    UtcTime previous_time = base;
    for (const auto& sample : samples) {
        const auto point = static_cast<std::int64_t>(sample.point);
        const ValueKind kind = kind_of(sample.value);
        writer.put_varint(zigzag(point - previous_point));
        writer.put(static_cast<std::uint8_t>(static_cast<unsigned>(kind) |
                                             static_cast<unsigned>(sample.quality) << 3 |
                                             static_cast<unsigned>(sample.code) << 5));
        if (!one_time) {
            // Unsigned, as in the decoder: the difference of two extreme times wraps and comes back the same.
            const auto now = static_cast<std::uint64_t>(sample.time.time_since_epoch().count());
            const auto before = static_cast<std::uint64_t>(previous_time.time_since_epoch().count());
            writer.put_varint(zigzag(static_cast<std::int64_t>(now - before)));
        }
        put_value(writer, kind, sample.value);
        previous_point = point;
        previous_time = sample.time;
    }
}

Status decode_sample_block(ByteSpan block, SampleBatch& out) {
    const auto corrupt = [](std::string_view what) {
        return make_error(ErrorKind::kCorrupt, fmt::format("sample block: {}", what));
    };
    ByteReader reader{block};
    const auto format = reader.get<std::uint8_t>();
    const auto count = reader.get_varint();
    const auto one_time = reader.get<std::uint8_t>();
    const auto base = reader.get<std::int64_t>();
    if (reader.failed()) return corrupt("too short for its header");
    if (format != kFormat) return corrupt(fmt::format("unknown format {}", format));
    // Each sample takes at least two bytes, so a count that the bytes cannot hold is refused before memory is
    // taken.
    if (count > kMaxSamplesPerBlock || count > reader.remaining() / 2) {
        return corrupt(fmt::format("{} samples cannot fit in {} bytes", count, block.size()));
    }
    if (one_time > 1) return corrupt("unknown time flag");

    const auto restore = out.size();
    out.reserve(restore + count);
    // Unsigned arithmetic: hostile deltas may wrap, which is harmless, but must not be undefined.
    std::uint64_t point = 0;
    auto time = static_cast<std::uint64_t>(base);
    for (std::uint64_t i = 0; i < count; ++i) {
        point += static_cast<std::uint64_t>(unzigzag(reader.get_varint()));
        const auto tag = reader.get<std::uint8_t>();
        if (one_time == 0) time += static_cast<std::uint64_t>(unzigzag(reader.get_varint()));
        const auto quality = static_cast<unsigned>(tag >> 3 & 3);
        const auto code = static_cast<unsigned>(tag >> 5);
        Sample sample;
        sample.value = get_value(reader, static_cast<ValueKind>(tag & 7));
        if (reader.failed() || point > UINT32_MAX || quality > static_cast<unsigned>(Quality::kBad) ||
            code > static_cast<unsigned>(QualityCode::kStale)) {
            out.resize(restore);
            return corrupt(fmt::format("sample {} of {} does not decode", i, count));
        }
        sample.point = static_cast<PointId>(point);
        sample.quality = static_cast<Quality>(quality);
        sample.code = static_cast<QualityCode>(code);
        sample.time = UtcTime{std::chrono::microseconds{static_cast<std::int64_t>(time)}};
        out.push_back(std::move(sample));
    }
    if (reader.remaining() != 0) {
        out.resize(restore);
        return corrupt(fmt::format("{} bytes after the last sample", reader.remaining()));
    }
    return {};
}

}  // namespace fieldwarden
