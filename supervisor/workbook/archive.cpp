#include "supervisor/workbook/archive.h"

#include <zip.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>

#include "supervisor/workbook/charset.h"
#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

namespace {

template <class T>
T little_endian(std::string_view bytes, std::size_t at) {
    T value{};
    if (at + sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof(T));
    return value;
}

Error truncated_zip(Language language, std::string_view why) {
    return make_error(ErrorKind::kCorrupt,
                      say(language, "the file is an incomplete or damaged zip ({}); copy or save it again",
                          "文件是不完整或已损坏的 zip（{}），请重新复制或保存", why));
}

// libzip reads the whole directory of a zip before anything can be asked of it. Its size stands in the record
// at the end of the file (APPNOTE 4.3.16, and 4.3.14 for zip64), so a directory made to exhaust memory is
// refused here.
Status check_directory_size(const std::string& path, Language language) {
    std::ifstream file{path, std::ios::binary | std::ios::ate};
    if (!file) return make_error(ErrorKind::kIo, say(language, "cannot open the file", "无法打开文件"));
    const auto size = static_cast<std::uint64_t>(file.tellg());
    constexpr std::size_t kEndRecord = 22;
    constexpr std::size_t kLongestComment = 65'535;
    constexpr std::size_t kLocator = 20;
    const auto tail_size = std::min<std::uint64_t>(size, kEndRecord + kLongestComment + kLocator);
    std::string tail(tail_size, '\0');
    file.seekg(static_cast<std::streamoff>(size - tail_size));
    file.read(tail.data(), static_cast<std::streamsize>(tail_size));
    bool found = false;
    const auto refuse = [&] {
        return make_error(ErrorKind::kTooLarge,
                          say(language, "the zip lists more files than a workbook can have (at most {})",
                              "zip 中的文件数超过工作簿的上限（最多 {} 个）", kMaxZipEntries));
    };
    // Every place that could be taken for the end record counts: which one a reader trusts is its own choice.
    for (auto at = tail.find("PK\x05\x06"); at != std::string::npos; at = tail.find("PK\x05\x06", at + 1)) {
        found = true;
        const auto directory = little_endian<std::uint32_t>(tail, at + 12);
        if (directory != 0xFFFFFFFF && directory > kMaxZipDirectoryBytes) return refuse();
        if (at >= kLocator && tail.compare(at - kLocator, 4, "PK\x06\x07") == 0) {
            const auto where = little_endian<std::uint64_t>(tail, at - kLocator + 8);
            std::string record(56, '\0');
            if (where > size || size - where < record.size()) return truncated_zip(language, "zip64");
            file.clear();
            file.seekg(static_cast<std::streamoff>(where));
            file.read(record.data(), static_cast<std::streamsize>(record.size()));
            if (little_endian<std::uint64_t>(record, 40) > kMaxZipDirectoryBytes) return refuse();
        } else if (directory == 0xFFFFFFFF) {
            return truncated_zip(language, "zip64");
        }
    }
    if (!found) return truncated_zip(language, say(language, "its directory is missing", "缺少目录"));
    return {};
}

std::string entry_name(std::string_view raw) {
    // A zip made on a Chinese Windows names its files in the code page of the system.
    std::string name{raw};
    if (!valid_utf8(raw)) {
        if (auto converted = to_utf8(raw, "GB18030")) name = std::move(*converted);
    }
    std::replace(name.begin(), name.end(), '\\', '/');
    return name;
}

}  // namespace

void Archive::Close::operator()(zip* archive) const {
    zip_discard(archive);
}

Result<Archive> Archive::open(const std::string& path, std::shared_ptr<std::atomic<std::uint64_t>> inflated,
                              Language language) {
    if (auto fits = check_directory_size(path, language); !fits) return fits.error();
    int code = 0;
    Archive archive;
    archive.archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
    archive.inflated_ = std::move(inflated);
    archive.language_ = language;
    if (!archive.archive_) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        auto refused = truncated_zip(language, zip_error_strerror(&error));
        zip_error_fini(&error);
        return refused;
    }
    const auto count = zip_get_num_entries(archive.archive_.get(), 0);
    if (count < 0 || static_cast<std::uint64_t>(count) > kMaxZipEntries) {
        return make_error(ErrorKind::kTooLarge,
                          say(language, "the zip holds {} files; a workbook has at most {}",
                              "zip 中有 {} 个文件，工作簿最多 {} 个", count, kMaxZipEntries));
    }
    archive.entries_.reserve(static_cast<std::size_t>(count));
    for (zip_int64_t i = 0; i < count; ++i) {
        zip_stat_t stat;
        const auto index = static_cast<zip_uint64_t>(i);
        if (zip_stat_index(archive.archive_.get(), index, ZIP_FL_ENC_RAW, &stat) != 0 ||
            (stat.valid & ZIP_STAT_NAME) == 0) {
            continue;
        }
        const bool encrypted =
            (stat.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && stat.encryption_method != ZIP_EM_NONE;
        archive.entries_.push_back({entry_name(stat.name), index, encrypted});
    }
    return archive;
}

const Archive::Entry* Archive::find(std::string_view name) const {
    const auto wanted = lower_ascii(name);
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return lower_ascii(entry.name) == wanted; });
    return found == entries_.end() ? nullptr : &*found;
}

Result<ByteSource> Archive::stream(const Entry& entry) const {
    if (entry.encrypted) {
        return make_error(ErrorKind::kInvalidArgument,
                          say(language_, "{} in the zip is encrypted; remove the password and retry",
                              "zip 中的 {} 已加密，请去除密码后再试", shortened(entry.name, 100)));
    }
    std::shared_ptr<zip_file_t> file{zip_fopen_index(archive_.get(), entry.index, 0), [](zip_file_t* open) {
                                         if (open != nullptr) zip_fclose(open);
                                     }};
    if (!file) {
        return truncated_zip(language_,
                             fmt::format("{}: {}", shortened(entry.name, 100), zip_strerror(archive_.get())));
    }
    return ByteSource{[file, inflated = inflated_, language = language_, name = shortened(entry.name, 100)](
                          char* into, std::size_t size) -> Result<std::size_t> {
        const auto got = zip_fread(file.get(), into, size);
        if (got < 0) {
            return truncated_zip(
                language, fmt::format("{}: {}", name, zip_error_strerror(zip_file_get_error(file.get()))));
        }
        if (inflated->fetch_add(static_cast<std::uint64_t>(got)) + static_cast<std::uint64_t>(got) >
            kMaxInflatedBytes) {
            return make_error(ErrorKind::kTooLarge,
                              say(language, "the file unpacks to more than {} MB; it was refused",
                                  "文件解压后超过 {} MB，已被拒绝", kMaxInflatedBytes >> 20U));
        }
        return static_cast<std::size_t>(got);
    }};
}

Result<std::string> Archive::content(const Entry& entry, std::uint64_t most) const {
    auto source = stream(entry);
    if (!source) return source.error();
    std::string all;
    std::array<char, 32 * 1024> piece;
    for (;;) {
        const auto got = (*source)(piece.data(), piece.size());
        if (!got) return got.error();
        if (*got == 0) return all;
        if (all.size() + *got > most) {
            return make_error(ErrorKind::kTooLarge,
                              say(language_, "{} in the zip unpacks to more than {} MB",
                                  "zip 中的 {} 解压后超过 {} MB", shortened(entry.name, 100), most >> 20U));
        }
        all.append(piece.data(), *got);
    }
}

}  // namespace fieldwarden::supervisor
