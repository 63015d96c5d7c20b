#include "supervisor/plant/cells.h"

#include <atomic>
#include <cstring>
#include <limits>
#include <new>

namespace fieldwarden::supervisor {

// Behind it in memory: where each cell ends, `width` bytes each, then the texts one after the other.
struct Cells::Block {
    std::atomic<std::uint32_t> users{1};
    std::uint16_t count = 0;
    std::uint16_t width = 1;

    [[nodiscard]] const char* ends() const { return reinterpret_cast<const char*>(this + 1); }
    [[nodiscard]] char* ends() { return reinterpret_cast<char*>(this + 1); }
    [[nodiscard]] const char* text() const { return ends() + std::size_t{count} * width; }

    [[nodiscard]] std::size_t end_of(std::size_t index) const {
        const char* at = ends() + index * width;
        if (width == 1) return static_cast<unsigned char>(*at);
        if (width == 2) return load<std::uint16_t>(at);
        return load<std::uint32_t>(at);
    }
    void set_end(std::size_t index, std::size_t end) {
        char* at = ends() + index * width;
        if (width == 1) return store(at, static_cast<std::uint8_t>(end));
        if (width == 2) return store(at, static_cast<std::uint16_t>(end));
        store(at, static_cast<std::uint32_t>(end));
    }

  private:
    template <class Number>
    static std::size_t load(const char* at) {
        Number number{};
        std::memcpy(&number, at, sizeof(number));
        return number;
    }
    template <class Number>
    static void store(char* at, Number number) {
        std::memcpy(at, &number, sizeof(number));
    }
};

template <class Text>
Cells::Block* Cells::pack(std::span<const Text> texts) {
    if (texts.empty()) return nullptr;
    std::size_t bytes = 0;
    for (const auto& text : texts) bytes += text.size();
    if (texts.size() > std::numeric_limits<std::uint16_t>::max() ||
        bytes > std::numeric_limits<std::uint32_t>::max()) {
        throw std::bad_alloc{};
    }
    const std::size_t width = bytes <= 0xFF ? 1 : bytes <= 0xFFFF ? 2 : 4;
    auto* block = new (::operator new(sizeof(Block) + texts.size() * width + bytes)) Block;
    block->count = static_cast<std::uint16_t>(texts.size());
    block->width = static_cast<std::uint16_t>(width);
    char* next = block->ends() + texts.size() * width;
    std::size_t end = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (!texts[i].empty()) std::memcpy(next + end, texts[i].data(), texts[i].size());
        end += texts[i].size();
        block->set_end(i, end);
    }
    return block;
}

Cells::Cells(std::span<const std::string_view> texts) : block_(pack(texts)) {}
Cells::Cells(std::span<const std::string> texts) : block_(pack(texts)) {}

Cells::Cells(const Cells& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) block_->users.fetch_add(1, std::memory_order_relaxed);
}

void Cells::release() {
    if (block_ == nullptr || block_->users.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    block_->~Block();
    ::operator delete(block_);
}

std::size_t Cells::size() const {
    return block_ == nullptr ? 0 : block_->count;
}

std::string_view Cells::operator[](std::size_t index) const {
    const auto begin = index == 0 ? 0 : block_->end_of(index - 1);
    return {block_->text() + begin, block_->end_of(index) - begin};
}

std::vector<std::string> Cells::strings() const {
    std::vector<std::string> texts;
    texts.reserve(size());
    for (const auto text : *this) texts.emplace_back(text);
    return texts;
}

void Cells::set(std::size_t index, std::string_view text) {
    std::vector<std::string_view> texts(begin(), end());
    texts.at(index) = text;
    *this = Cells{std::span<const std::string_view>{texts}};
}

void Cells::resize(std::size_t count) {
    std::vector<std::string_view> texts(begin(), end());
    texts.resize(count);
    *this = Cells{std::span<const std::string_view>{texts}};
}

bool operator==(const Cells& left, const Cells& right) {
    if (left.block_ == right.block_) return true;
    const auto count = left.size();
    if (count != right.size()) return false;
    for (std::size_t i = 0; i < count; ++i) {
        if (left[i] != right[i]) return false;
    }
    return true;
}

}  // namespace fieldwarden::supervisor
