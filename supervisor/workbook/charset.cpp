#include "supervisor/workbook/charset.h"

#include <fmt/format.h>
#include <iconv.h>

#include <array>
#include <cerrno>
#include <memory>

namespace fieldwarden::supervisor {

Result<std::string> to_utf8(std::string_view bytes, const char* from) {
    struct Close {
        void operator()(void* converter) const { iconv_close(converter); }
    };
    const std::unique_ptr<void, Close> converter{[&]() -> void* {
        const iconv_t opened = iconv_open("UTF-8", from);
        return opened == reinterpret_cast<iconv_t>(-1) ? nullptr : opened;  // NOLINT: iconv's own convention
    }()};
    if (!converter)
        return make_error(ErrorKind::kInternal, fmt::format("this system cannot read {} text", from));

    std::string out;
    std::array<char, 16 * 1024> piece;
    // iconv does not write through its input pointer; its signature predates const.
    char* in = const_cast<char*>(bytes.data());
    std::size_t in_left = bytes.size();
    while (in_left > 0) {
        char* to = piece.data();
        std::size_t to_left = piece.size();
        const auto done = iconv(converter.get(), &in, &in_left, &to, &to_left);
        out.append(piece.data(), piece.size() - to_left);
        if (done == static_cast<std::size_t>(-1) && errno != E2BIG) {
            return make_error(ErrorKind::kCorrupt,
                              fmt::format("byte {} is no {} text", bytes.size() - in_left + 1, from));
        }
    }
    return out;
}

}  // namespace fieldwarden::supervisor
