// SQL split into words, by TDengine 3's documentation ("Naming Conventions", "Escape Characters",
// "Constants").
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fieldwarden::tdengine_stand_in {

struct SqlError {
    int code = 0;
    std::string desc;
};

struct Word {
    enum class Kind { kEnd, kName, kQuotedName, kText, kNumber, kMark } kind = Kind::kEnd;
    std::string text;  // names in back-quotes without them, texts without quotes and escapes
};

// Throws SqlError 0x2600 on what the documentation does not describe.
std::vector<Word> split_sql(std::string_view sql);

// Walks over the words of a statement; every mismatch throws SqlError.
class Words {
  public:
    explicit Words(std::string_view sql) : words_(split_sql(sql)) {}

    [[nodiscard]] const Word& next() const { return words_[at_]; }
    Word take() { return words_[at_].kind == Word::Kind::kEnd ? words_[at_] : words_[at_++]; }
    // Keywords in any case.
    bool take_if(std::string_view keyword_or_mark);
    void expect(std::string_view keyword_or_mark);
    // A database, table or column name of at most `longest` bytes.
    std::string name(std::size_t longest);
    void expect_end();
    [[noreturn]] void refuse() const;  // "syntax error near …"

  private:
    std::vector<Word> words_;
    std::size_t at_ = 0;
};

}  // namespace fieldwarden::tdengine_stand_in
