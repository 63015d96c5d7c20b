// Little-endian readers and writers over byte buffers, for the formats that are ours (spool, sample blocks).
// A reader never reads past its end: after the first short read it is `failed()` and every later read gives
// zero, so a decoder can read a whole structure and check once.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fieldwarden {

static_assert(std::endian::native == std::endian::little,
              "the on-disk formats are little-endian as is the CPU");

using Bytes = std::vector<std::byte>;
using ByteSpan = std::span<const std::byte>;

inline ByteSpan as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteSpan bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteWriter {
  public:
    explicit ByteWriter(Bytes& out) : out_(out) {}

    template <class T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
    void put(T value) {
        const auto at = out_.size();
        out_.resize(at + sizeof(T));
        std::memcpy(out_.data() + at, &value, sizeof(T));
    }
    // LEB128: seven bits a byte, lowest first.
    void put_varint(std::uint64_t value) {
        while (value >= 0x80) {
            out_.push_back(static_cast<std::byte>(value | 0x80));
            value >>= 7;
        }
        out_.push_back(static_cast<std::byte>(value));
    }
    void put_bytes(ByteSpan bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    // Length as a varint, then the bytes.
    void put_text(std::string_view text) {
        put_varint(text.size());
        put_bytes(as_bytes(text));
    }
    [[nodiscard]] std::size_t size() const { return out_.size(); }

  private:
    Bytes& out_;
};

class ByteReader {
  public:
    explicit ByteReader(ByteSpan in) : in_(in) {}

    template <class T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T> T get() {
        T value{};
        if (in_.size() - pos_ < sizeof(T)) {
            fail();
            return value;
        }
        std::memcpy(&value, in_.data() + pos_, sizeof(T));
        pos_ += sizeof(T);
        return value;
    }
    std::uint64_t get_varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (pos_ >= in_.size()) break;
            const auto byte = static_cast<std::uint8_t>(in_[pos_++]);
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) return value;
        }
        fail();
        return 0;
    }
    ByteSpan get_bytes(std::size_t count) {
        if (in_.size() - pos_ < count) {
            fail();
            return {};
        }
        const auto bytes = in_.subspan(pos_, count);
        pos_ += count;
        return bytes;
    }
    std::string_view get_text() { return as_text(get_bytes(get_varint())); }

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] std::size_t remaining() const { return in_.size() - pos_; }
    [[nodiscard]] std::size_t position() const { return pos_; }

  private:
    void fail() {
        failed_ = true;
        pos_ = in_.size();
    }

    ByteSpan in_;
    std::size_t pos_ = 0;
    bool failed_ = false;
};

}  // namespace fieldwarden
