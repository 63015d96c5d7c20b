// Cells: the texts of one record, packed into one block of memory that its copies share.
//
// A plant of 100,000 points is kept for as long as the supervisor runs, and once more while a change is made
// of it: a record's cells cost their text and a byte each, an empty cell the byte alone, and a copy of a
// record, in a diff or in the next version of the plant, costs a pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwarden::supervisor {

// A value. The views it gives live as long as any copy that shares the block, and no longer than set() or
// resize() of this one. Threads: copies may be made and dropped in several threads at once.
class Cells {
  public:
    Cells() = default;
    explicit Cells(std::span<const std::string_view> texts);
    Cells(std::span<const std::string> texts);  // NOLINT: a record is made of the texts of its cells
    Cells(const std::vector<std::string>& texts) : Cells(std::span{texts}) {}  // NOLINT: as above
    Cells(std::initializer_list<std::string_view> texts) : Cells(std::span{texts.begin(), texts.size()}) {}
    Cells(const Cells& other) noexcept;
    Cells(Cells&& other) noexcept : block_(other.block_) { other.block_ = nullptr; }
    Cells& operator=(Cells other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~Cells() { release(); }

    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] bool empty() const { return size() == 0; }
    // `index` must be below size().
    [[nodiscard]] std::string_view operator[](std::size_t index) const;
    [[nodiscard]] std::string_view front() const { return (*this)[0]; }
    [[nodiscard]] std::string_view back() const { return (*this)[size() - 1]; }
    [[nodiscard]] std::vector<std::string> strings() const;

    // Both pack anew: for a record changed by hand, not for a sheet of them. Cells added are empty.
    void set(std::size_t index, std::string_view text);
    void resize(std::size_t count);

    friend bool operator==(const Cells& left, const Cells& right);

    class const_iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;
        using pointer = const std::string_view*;
        using reference = std::string_view;

        const_iterator() = default;
        const_iterator(const Cells& cells, std::size_t index) : cells_(&cells), index_(index) {}
        std::string_view operator*() const { return (*cells_)[index_]; }
        const_iterator& operator++() {
            ++index_;
            return *this;
        }
        const_iterator operator++(int) {
            auto before = *this;
            ++index_;
            return before;
        }
        bool operator==(const const_iterator&) const = default;

      private:
        const Cells* cells_ = nullptr;
        std::size_t index_ = 0;
    };
    using value_type = std::string_view;
    using iterator = const_iterator;
    [[nodiscard]] const_iterator begin() const { return {*this, 0}; }
    [[nodiscard]] const_iterator end() const { return {*this, size()}; }

  private:
    struct Block;
    template <class Text>
    static Block* pack(std::span<const Text> texts);
    void release();

    Block* block_ = nullptr;  // null: no cells
};

}  // namespace fieldwarden::supervisor
