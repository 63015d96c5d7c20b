// A scanner for the XML of worksheets and shared strings: UTF-8 without DOCTYPE, read from a stream through
// one growing buffer. It checks what makes a document well formed (tags match, attributes are quoted and
// unique, characters and references are legal), because a half-read sheet must never pass for a whole one.
// Source of the rules: Extensible Markup Language (XML) 1.0, fifth edition; section numbers below.
#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/text.h"
#include "supervisor/workbook/xml_parser.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::size_t kChunk = 128 * 1024;
constexpr std::size_t kMaxAttributes = 256;
constexpr std::string_view kSpace = " \t\r\n";

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Section 2.3, for ASCII; the longer characters of a name are checked when it is complete (is_legal_name).
bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           static_cast<unsigned char>(c) >= 0x80;
}
bool is_name_character(char c) {
    return is_name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

// Letters beyond ASCII that both the fourth edition (expat's) and the fifth allow anywhere in a name. Names
// of other alphabets are refused: no spreadsheet has them.
constexpr std::pair<std::uint32_t, std::uint32_t> kLetters[] = {
    {0x00C0, 0x00D6}, {0x00D8, 0x00F6}, {0x00F8, 0x0131}, {0x040E, 0x044F},
    {0x3041, 0x3094}, {0x30A1, 0x30FA}, {0x4E00, 0x9FA5}, {0xAC00, 0xD7A3},
};

bool is_ascii(char c) {
    return static_cast<unsigned char>(c) < 0x80;
}

// The bytes of `name` passed is_name_start and is_name_character.
bool is_legal_name(std::string_view name) {
    if (std::ranges::all_of(name, is_ascii)) return true;
    if (!valid_utf8(name)) return false;
    for (std::size_t i = 0; i < name.size();) {
        const auto lead = static_cast<unsigned char>(name[i++]);
        if (lead < 0x80) continue;
        std::uint32_t code = lead >= 0xF0 ? lead & 0x07U : lead >= 0xE0 ? lead & 0x0FU : lead & 0x1FU;
        for (; i < name.size() && (static_cast<unsigned char>(name[i]) & 0xC0U) == 0x80U; ++i) {
            code = code << 6U | (static_cast<unsigned char>(name[i]) & 0x3FU);
        }
        const auto holds = [code](const auto& range) { return range.first <= code && code <= range.second; };
        if (!std::ranges::any_of(kLetters, holds)) return false;
    }
    return true;
}

// Nothing to resolve, to normalise or to check: printable ASCII without & < and ].
bool is_plain(char c) {
    return c >= 0x20 && c != '&' && c != '<' && c != ']';
}
bool is_plain(std::string_view text) {
    constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
    constexpr std::uint64_t kHigh = 0x8080808080808080ULL;
    std::size_t i = 0;
    for (; i + 8 <= text.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + i, 8);
        const std::uint64_t control = (word - kOnes * 0x20) & ~word;
        const std::uint64_t ampersand = word ^ (kOnes * '&');
        const std::uint64_t less = word ^ (kOnes * '<');
        const std::uint64_t bracket = word ^ (kOnes * ']');
        const std::uint64_t found = word | control | ((ampersand - kOnes) & ~ampersand) |
                                    ((less - kOnes) & ~less) | ((bracket - kOnes) & ~bracket);
        if ((found & kHigh) != 0) return false;
    }
    return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(),
                       [](char c) { return is_plain(c); });
}

bool is_legal_character(std::uint32_t code) {  // section 2.2
    return code == 0x9 || code == 0xA || code == 0xD || (code >= 0x20 && code <= 0xD7FF) ||
           (code >= 0xE000 && code <= 0xFFFD) || (code >= 0x10000 && code <= 0x10FFFF);
}

// Appends what the reference "&name;" stands for; false when it stands for nothing without a DOCTYPE.
bool append_reference(std::string_view name, std::string& out) {
    if (name == "lt") return out += '<', true;
    if (name == "gt") return out += '>', true;
    if (name == "amp") return out += '&', true;
    if (name == "quot") return out += '"', true;
    if (name == "apos") return out += '\'', true;
    if (name.size() < 2 || name[0] != '#') return false;
    const bool hex = name[1] == 'x';
    const auto digits = name.substr(hex ? 2 : 1);
    std::uint32_t code = 0;
    const auto [rest, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
    if (digits.empty() || error != std::errc{} || rest != digits.data() + digits.size()) return false;
    if (!is_legal_character(code)) return false;
    append_utf8(out, code);
    return true;
}

// U+FFFE and U+FFFF are no characters (section 2.2).
bool holds_noncharacter(std::string_view text) {
    return text.find("\xEF\xBF\xBE") != std::string_view::npos ||
           text.find("\xEF\xBF\xBF") != std::string_view::npos;
}

// Text or an attribute value with references resolved and line ends normalised (2.11, 3.3.3); false when
// illegal.
bool resolve(std::string_view raw, bool attribute, std::string& out) {
    out.clear();
    if (!valid_utf8(raw) || holds_noncharacter(raw)) return false;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        const char c = raw[i];
        if (c == '&') {
            const auto end = raw.find(';', i);
            if (end == std::string_view::npos || !append_reference(raw.substr(i + 1, end - i - 1), out)) {
                return false;
            }
            i = end;
        } else if (c == '\r') {
            if (i + 1 < raw.size() && raw[i + 1] == '\n') ++i;
            out += attribute ? ' ' : '\n';
        } else if (c == '\n' || c == '\t') {
            out += attribute ? ' ' : c;
        } else if ((c >= 0 && c < 0x20) || (c == '<' && attribute)) {
            return false;
        } else {
            out += c;
        }
    }
    return true;
}

class XmlScanner {
  public:
    // `first`: the beginning of the document, of which the first `done` bytes need no scanning.
    XmlScanner(const ByteSource& source, std::string first, std::size_t done, XmlHandler& handler,
               std::string_view part, Language language)
        : source_(source),
          buffer_(std::move(first)),
          pos_(done),
          handler_(handler),
          part_(part),
          language_(language) {}

    Status run() {
        for (;;) {
            std::size_t less = kNone;
            if (!find("<", 0, less)) return failure_;
            const auto length = less == kNone ? buffer_.size() - pos_ : less;
            if (auto given = take_text(std::string_view{buffer_}.substr(pos_, length)); !given) return given;
            advance(length);
            if (less == kNone) break;
            if (auto taken = take_markup(); !taken) return taken;
            if (handler_.stopped()) return *handler_.stopped();
        }
        if (!seen_root_ || !open_.empty()) return broken("the end of the file comes too early");
        return {};
    }

  private:
    static constexpr std::size_t kNone = std::string_view::npos;

    void advance(std::size_t count) { pos_ += count; }

    // Sets `at` to the offset from pos_ of `what`, at or behind `from`; to kNone when the document ends
    // before it. May move the buffer. False when the document cannot be read on: failure_ says why.
    bool find(std::string_view what, std::size_t from, std::size_t& at) {
        for (;;) {
            const auto found = std::string_view{buffer_}.find(what, pos_ + from);
            if (found != std::string_view::npos) {
                at = found - pos_;
                return true;
            }
            at = kNone;
            if (ended_) return true;
            // What has been looked through need not be again, but for a beginning of `what` at its end.
            from = std::max(from, buffer_.size() - pos_ - std::min(buffer_.size() - pos_, what.size() - 1));
            if (!read_on()) return false;
        }
    }

    // Drops what is done with and reads one chunk more.
    bool read_on() {
        lines_gone_ += lines_before(pos_);
        buffer_.erase(0, pos_);
        pos_ = 0;
        if (buffer_.size() > kMaxXmlTokenBytes) {
            failure_ = make_error(
                ErrorKind::kTooLarge,
                say(language_, "{}: a single tag or text is longer than {} KB; this is no spreadsheet",
                    "{}：单个标记或文字超过 {} KB，不是电子表格", part_, kMaxXmlTokenBytes >> 10U));
            return false;
        }
        const auto old = buffer_.size();
        buffer_.resize(old + kChunk);
        const auto got = source_(buffer_.data() + old, kChunk);
        if (!got) {
            failure_ = got.error();
            return false;
        }
        buffer_.resize(old + *got);
        ended_ = *got == 0;
        return true;
    }

    std::ptrdiff_t lines_before(std::size_t position) const {
        return std::count(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(position), '\n');
    }

    Error broken(std::string_view why) const {
        return make_error(ErrorKind::kCorrupt,
                          say(language_, "{} line {}: {}; the file is damaged, save it again and retry",
                              "{} 第 {} 行：{}；文件已损坏，请重新保存后再试", part_,
                              1 + lines_gone_ + lines_before(pos_), why));
    }

    Status take_text(std::string_view raw) {
        if (raw.empty()) return {};
        if (open_.empty()) {
            return raw.find_first_not_of(kSpace) == std::string_view::npos
                       ? Status{}
                       : Status{broken("text outside of the document element")};
        }
        if (is_plain(raw)) {
            handler_.on_text(raw);
            return {};
        }
        if (raw.find("]]>") != std::string_view::npos) return broken("]]> in a text");
        const bool as_it_stands = std::all_of(raw.begin(), raw.end(), [](char c) {
            return c != '&' && (c < 0 || c >= 0x20 || c == '\n' || c == '\t');
        });
        if (as_it_stands && valid_utf8(raw) && !holds_noncharacter(raw)) {
            handler_.on_text(raw);
            return {};
        }
        if (!resolve(raw, false, text_)) return broken("a character or reference that XML does not allow");
        handler_.on_text(text_);
        return {};
    }

    // At pos_ stands '<'.
    Status take_markup() {
        std::size_t enough = kNone;
        if (!find(">", 1, enough)) return failure_;
        if (enough == kNone) return broken("a tag is not closed");
        const auto rest = std::string_view{buffer_}.substr(pos_);
        if (rest.starts_with("<!--")) return take_comment();
        if (rest.starts_with("<![CDATA[")) return take_cdata();
        if (rest.starts_with("<?")) return take_instruction();
        if (rest.starts_with("<!")) {
            return make_error(
                ErrorKind::kCorrupt,
                say(language_,
                    "{}: holds a DOCTYPE, which no spreadsheet program writes; the file was refused",
                    "{}：包含 DOCTYPE，任何电子表格软件都不会写入，文件已被拒绝", part_));
        }
        if (rest.starts_with("</")) return take_end_tag(enough);
        return take_start_tag(enough);
    }

    Status take_comment() {
        std::size_t end = kNone;
        if (!find("--", 4, end)) return failure_;
        if (end == kNone || pos_ + end + 2 >= buffer_.size() || buffer_[pos_ + end + 2] != '>') {
            return broken("a comment is not closed");
        }
        return skip_checked(4, end, 3);
    }
    Status take_instruction() {
        std::size_t end = kNone;
        if (!find("?>", 2, end)) return failure_;
        if (end == kNone) return broken("an instruction is not closed");
        const auto text = std::string_view{buffer_}.substr(pos_ + 2, end - 2);
        const auto target = text.substr(0, text.find_first_of(kSpace));
        if (target.empty() || !is_name_start(target[0]) || !std::ranges::all_of(target, is_name_character) ||
            !is_legal_name(target)) {
            return broken("an instruction without a name");
        }
        if (lower_ascii(target) == "xml") return broken("an XML declaration out of place");
        return skip_checked(2, end, 2);
    }
    // Passes over what lies from `begin` to `end` and the closing mark behind it; the bytes must be legal
    // characters.
    Status skip_checked(std::size_t begin, std::size_t end, std::size_t mark) {
        std::string copy{std::string_view{buffer_}.substr(pos_ + begin, end - begin)};
        std::replace(copy.begin(), copy.end(), '&', ' ');
        if (!resolve(copy, false, text_)) return broken("a character that XML does not allow");
        advance(end + mark);
        return {};
    }
    Status take_cdata() {
        std::size_t end = kNone;
        if (!find("]]>", 9, end)) return failure_;
        if (end == kNone || open_.empty()) return broken("a CDATA section out of place");
        const auto raw = std::string_view{buffer_}.substr(pos_ + 9, end - 9);
        // Between the brackets & is a character like any other.
        std::string escaped;
        for (const char c : raw) escaped += c == '&' ? std::string{"&amp;"} : std::string{c};
        if (!resolve(escaped, false, text_)) return broken("a character that XML does not allow");
        if (!text_.empty()) handler_.on_text(text_);
        advance(end + 3);
        return {};
    }

    Status take_end_tag(std::size_t close) {
        auto name = std::string_view{buffer_}.substr(pos_ + 2, close - 2);
        while (!name.empty() && is_space(name.back())) name.remove_suffix(1);
        if (open_.empty() || open_.back() != name) return broken("a closing tag without its opening one");
        handler_.on_end(local_name(name));
        open_.pop_back();
        advance(close + 1);
        return {};
    }

    // `close`: offset of the first '>', which may still be inside an attribute value.
    Status take_start_tag(std::size_t close) {
        if (seen_root_ && open_.empty()) return broken("a second document element");
        bool self_closing = false;
        std::string_view name;
        for (;;) {
            const auto tag = std::string_view{buffer_}.substr(pos_ + 1, close - 1);
            bool quote_open = false;
            const char* why = read_tag(tag, name, self_closing, quote_open);
            if (why == nullptr) break;
            if (!quote_open) return broken(why);
            std::size_t next = kNone;
            if (!find(">", close + 1, next)) return failure_;
            if (next == kNone) return broken("a tag is not closed");
            close = next;
        }
        seen_root_ = true;
        if (open_.size() == kMaxXmlDepth) {
            return make_error(ErrorKind::kCorrupt, say(language_, "{}: elements are nested deeper than {}",
                                                       "{}：元素嵌套超过 {} 层", part_, kMaxXmlDepth));
        }
        handler_.on_start(local_name(name), XmlAttributes{attributes_});
        if (self_closing) {
            if (!handler_.stopped()) handler_.on_end(local_name(name));
        } else {
            open_.emplace_back(name);
        }
        advance(close + 1);
        return {};
    }

    // Name and attributes of a tag without its brackets. Returns what is wrong with it, or nullptr.
    const char* read_tag(std::string_view tag, std::string_view& name, bool& self_closing, bool& quote_open) {
        attributes_.clear();
        resolved_.clear();
        self_closing = false;
        std::size_t i = 0;
        if (tag.empty() || !is_name_start(tag[0])) return "a tag without a name";
        while (i < tag.size() && is_name_character(tag[i])) ++i;
        name = tag.substr(0, i);
        if (!is_legal_name(name)) return "a name that XML does not allow";
        for (;;) {
            const auto blank = i;
            while (i < tag.size() && is_space(tag[i])) ++i;
            if (i == tag.size()) return nullptr;
            if (tag[i] == '/') {
                self_closing = true;
                return i + 1 == tag.size() ? nullptr : "a slash inside a tag";
            }
            if (blank == i) return "a character inside a tag that does not belong there";
            const auto begin = i;
            while (i < tag.size() && is_name_character(tag[i])) ++i;
            if (i == begin || !is_name_start(tag[begin])) return "an attribute without a name";
            const auto attribute = tag.substr(begin, i - begin);
            if (!is_legal_name(attribute)) return "a name that XML does not allow";
            while (i < tag.size() && is_space(tag[i])) ++i;
            if (i == tag.size() || tag[i] != '=') return "an attribute without a value";
            ++i;
            while (i < tag.size() && is_space(tag[i])) ++i;
            if (i == tag.size() || (tag[i] != '"' && tag[i] != '\'')) return "an attribute without quotes";
            const char quote = tag[i++];
            const auto value = i;
            bool plain = true;
            for (; i < tag.size() && tag[i] != quote; ++i) plain = plain && is_plain(tag[i]);
            if (i == tag.size()) {
                quote_open = true;
                return "an attribute whose quotes are not closed";
            }
            if (const char* why = add_attribute(attribute, tag.substr(value, i - value), plain)) return why;
            ++i;
        }
    }

    const char* add_attribute(std::string_view name, std::string_view raw, bool plain) {
        if (attributes_.size() == kMaxAttributes) return "a tag with too many attributes";
        for (const auto& other : attributes_) {
            if (other.name == name) return "an attribute given twice";
        }
        if (!plain) {
            auto value = std::make_unique<std::string>();
            if (!resolve(raw, true, *value)) return "a character or reference that XML does not allow";
            resolved_.push_back(std::move(value));
            raw = *resolved_.back();
        }
        attributes_.push_back({name, raw});
        return nullptr;
    }

    const ByteSource& source_;
    std::string buffer_;
    std::size_t pos_ = 0;
    bool ended_ = false;
    XmlHandler& handler_;
    std::string_view part_;
    Language language_;
    std::ptrdiff_t lines_gone_ = 0;  // with what is no longer in the buffer
    std::vector<std::string> open_;  // names of the open elements
    bool seen_root_ = false;
    std::vector<XmlAttribute> attributes_;
    std::vector<std::unique_ptr<std::string>> resolved_;  // values that are not as they stand in the tag
    std::string text_;
    Error failure_;
};

// Takes ` name="value"` off the front of an XML declaration.
std::optional<std::string_view> take_setting(std::string_view& rest, std::string_view name) {
    const auto begin = rest.find_first_not_of(kSpace);
    if (begin == 0 || begin == std::string_view::npos) return std::nullopt;
    auto tail = rest.substr(begin);
    if (!tail.starts_with(name)) return std::nullopt;
    tail.remove_prefix(name.size());
    if (!tail.starts_with("=\"") && !tail.starts_with("='")) return std::nullopt;
    const auto end = tail.find(tail[1], 2);
    if (end == std::string_view::npos) return std::nullopt;
    rest = tail.substr(end + 1);
    return tail.substr(2, end - 2);
}

// How many bytes a document of the scanner begins with before its first tag or text: the byte order mark and
// the XML declaration (section 2.8). nullopt: expat is to take the document, as its encoding is not UTF-8 or
// its declaration not one that spreadsheet programs write.
std::optional<std::size_t> preamble_of(std::string_view head) {
    const auto size = head.size();
    if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
    if (head.empty() || head.find('\0') != std::string_view::npos || head.front() == '\xFE' ||
        head.front() == '\xFF') {
        return std::nullopt;
    }
    constexpr std::string_view kDeclaration = "<?xml";
    if (!head.starts_with(kDeclaration)) return size - head.size();
    auto rest = head.substr(kDeclaration.size());
    if (take_setting(rest, "version") != "1.0") return std::nullopt;
    const auto encoding = take_setting(rest, "encoding");
    if (encoding && lower_ascii(*encoding) != "utf-8") return std::nullopt;
    const auto standalone = take_setting(rest, "standalone");
    if (standalone && *standalone != "yes" && *standalone != "no") return std::nullopt;
    rest.remove_prefix(std::min(rest.find_first_not_of(kSpace), rest.size()));
    if (!rest.starts_with("?>")) return std::nullopt;
    return size - rest.size() + 2;
}

}  // namespace

Status scan_xml(const ByteSource& source, XmlHandler& handler, std::string_view part, Language language) {
    constexpr std::size_t kHead = 512;
    std::string head;
    while (head.size() < kHead) {
        const auto old = head.size();
        head.resize(kHead);
        const auto got = source(head.data() + old, kHead - old);
        if (!got) return got.error();
        head.resize(old + *got);
        if (*got == 0) break;
    }
    if (const auto done = preamble_of(head)) {
        return XmlScanner{source, std::move(head), *done, handler, part, language}.run();
    }
    std::size_t given = 0;
    const ByteSource whole = [&](char* into, std::size_t size) -> Result<std::size_t> {
        if (given == head.size()) return source(into, size);
        const auto count = std::min(size, head.size() - given);
        std::memcpy(into, head.data() + given, count);
        given += count;
        return count;
    };
    return parse_xml(whole, handler, part, language);
}

}  // namespace fieldwarden::supervisor
