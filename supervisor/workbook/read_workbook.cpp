#include <zip.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "supervisor/workbook/archive.h"
#include "supervisor/workbook/columns.h"
#include "supervisor/workbook/compound_file.h"
#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/readers.h"
#include "supervisor/workbook/text.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor {

namespace fs = std::filesystem;

namespace {

Error io_error(Language language, std::string_view what) {
    return make_error(ErrorKind::kIo, say(language, "cannot read the file: {}", "无法读取文件：{}", what));
}

Error not_a_workbook(Language language, std::string_view what_en, std::string_view what_zh) {
    return make_error(ErrorKind::kInvalidArgument,
                      say(language, "this is {}, not a workbook; save it as .xlsx and retry",
                          "这是{1}，不是工作簿，请另存为 .xlsx 后再试", what_en, what_zh));
}

std::string extension_of(std::string_view file_name) {
    const auto dot = file_name.rfind('.');
    const auto slash = file_name.find_last_of("/\\");
    if (dot == std::string_view::npos || (slash != std::string_view::npos && dot < slash)) return {};
    return lower_ascii(file_name.substr(dot + 1, 8));
}

std::string base_name(std::string_view file_name) {
    const auto slash = file_name.find_last_of("/\\");
    if (slash != std::string_view::npos) file_name.remove_prefix(slash + 1);
    return std::string{file_name.substr(0, file_name.rfind('.'))};
}

// Says so when the name promises another format than the file is.
void note_extension(Workbook& workbook, std::string_view file_name,
                    std::initializer_list<std::string_view> fitting, Language language) {
    const auto extension = extension_of(file_name);
    if (extension.empty() || std::find(fitting.begin(), fitting.end(), extension) != fitting.end()) return;
    workbook.notes.push_back(
        say(language, "the name ends in .{}, but the content is .{}; it was read as such",
            "文件名以 .{} 结尾，但内容是 .{}，已按内容读取", extension, *fitting.begin()));
}

Result<Workbook> read_zip(const std::string& path, std::string_view file_name, const ReadContext& context) {
    const auto language = context.language;
    const auto archive = Archive::open(path, std::make_shared<std::atomic<std::uint64_t>>(0), language);
    if (!archive) return archive.error();
    if (archive->find("[Content_Types].xml") != nullptr || archive->find("_rels/.rels") != nullptr ||
        archive->find("xl/workbook.xml") != nullptr) {
        if (archive->find("word/document.xml") != nullptr) {
            return not_a_workbook(language, "a Word document", " Word 文档");
        }
        if (archive->find("ppt/presentation.xml") != nullptr) {
            return not_a_workbook(language, "a presentation", "演示文稿");
        }
        auto workbook = read_xlsx(path, context);
        if (workbook) note_extension(*workbook, file_name, {"xlsx", "xlsm", "xltx", "xltm"}, language);
        return workbook;
    }
    if (archive->find("mimetype") != nullptr && archive->find("content.xml") != nullptr) {
        return not_a_workbook(language, "an OpenDocument file", " OpenDocument 文件");
    }
    auto workbook = read_csv_zip(path, context);
    if (workbook) note_extension(*workbook, file_name, {"zip"}, language);
    return workbook;
}

Result<Workbook> read_compound(const std::string& path, std::string_view file_name,
                               const ReadContext& context) {
    const auto language = context.language;
    const auto bytes = read_whole_file(path, language);
    if (!bytes) return bytes.error();
    const auto file = CompoundFile::open(*bytes);
    if (file && file->has("EncryptedPackage")) {
        return make_error(ErrorKind::kInvalidArgument,
                          say(language, "the workbook is encrypted; remove its password and retry",
                              "工作簿已加密，请去除密码后再试"));
    }
    if (file && !file->has("Workbook") && !file->has("Book")) {
        return not_a_workbook(language, "another Office document", "其他 Office 文档");
    }
    auto workbook = read_xls(*bytes, context);
    if (workbook) note_extension(*workbook, file_name, {"xls", "xlt", "et"}, language);
    return workbook;
}

Result<Workbook> read_text(const std::string& path, std::string_view file_name, std::string_view head,
                           const ReadContext& context) {
    const auto language = context.language;
    const auto start = lower_ascii(trimmed(head));
    if (start.starts_with("<")) return not_a_workbook(language, "HTML or XML", " HTML 或 XML");
    if (start.starts_with("%pdf")) return not_a_workbook(language, "a PDF", " PDF");
    if (start.starts_with("{\\rtf")) return not_a_workbook(language, "an RTF document", " RTF 文档");
    const auto name = base_name(file_name);
    const auto bytes = read_whole_file(path, language);
    if (!bytes) return bytes.error();
    if (!context.wanted(name)) {
        // Whether it is text at all matters more than its name.
        if (auto read = read_csv(*bytes, name, context); !read) return read.error();
        return make_error(
            ErrorKind::kInvalidArgument,
            say(language,
                "a .csv is one sheet and its file name says which: name it sites.csv, devices.csv, "
                "points.csv, tasks.csv or sinks.csv, or hand over a zip of them",
                "一个 .csv 对应一张表，由文件名决定：请命名为 sites.csv、devices.csv、points.csv、"
                "tasks.csv 或 sinks.csv，或打包成 zip"));
    }
    auto workbook = read_csv(*bytes, name, context);
    if (workbook) note_extension(*workbook, file_name, {"csv", "txt", "tsv"}, language);
    return workbook;
}

}  // namespace

Result<std::string> read_whole_file(const std::string& path, Language language) {
    std::ifstream file{path, std::ios::binary | std::ios::ate};
    if (!file) return io_error(language, "it cannot be opened");
    const auto size = static_cast<std::uint64_t>(std::max<std::streamoff>(file.tellg(), 0));
    if (size > kMaxWholeFileBytes) {
        return make_error(
            ErrorKind::kTooLarge,
            say(language, "the file has {} MB; of .csv and .xls at most {} MB are read. Save it as .xlsx",
                "文件有 {} MB，.csv 和 .xls 最多读取 {} MB，请另存为 .xlsx", size >> 20U,
                kMaxWholeFileBytes >> 20U));
    }
    std::string bytes(size, '\0');
    file.seekg(0);
    file.read(bytes.data(), static_cast<std::streamsize>(size));
    if (static_cast<std::uint64_t>(file.gcount()) != size)
        return io_error(language, "it changed while being read");
    return bytes;
}

Result<Workbook> read_workbook(const std::string& path, std::string_view file_name, Language language) {
    const ReadContext context{language,
                              [](std::string_view name) { return kind_of_sheet(name).has_value(); }};
    std::error_code error;
    const auto status = fs::status(path, error);
    if (error) return io_error(language, error.message());
    if (fs::is_directory(status)) return read_csv_folder(path, context);
    if (!fs::is_regular_file(status))
        return io_error(language, say(language, "it is no regular file", "不是普通文件"));
    const auto size = fs::file_size(path, error);
    if (error) return io_error(language, error.message());
    if (size == 0) {
        return make_error(ErrorKind::kInvalidArgument, say(language, "the file is empty", "文件是空的"));
    }
    if (size > kMaxFileBytes) {
        return make_error(ErrorKind::kTooLarge,
                          say(language, "the file has {} MB; at most {} MB are read",
                              "文件有 {} MB，最多读取 {} MB", size >> 20U, kMaxFileBytes >> 20U));
    }
    std::ifstream file{path, std::ios::binary};
    std::string head(std::min<std::uint64_t>(size, 512), '\0');
    if (!file.read(head.data(), static_cast<std::streamsize>(head.size()))) {
        return io_error(language, "it cannot be opened");
    }
    if (head.starts_with("PK\x03\x04") || head.starts_with("PK\x05\x06"))
        return read_zip(path, file_name, context);
    if (head.starts_with(kCompoundMagic)) return read_compound(path, file_name, context);
    return read_text(path, file_name, head, context);
}

Status pack_csv_folder(const std::string& folder, const std::string& zip_path) {
    int code = 0;
    zip_t* const archive = zip_open(zip_path.c_str(), ZIP_CREATE | ZIP_EXCL, &code);
    const auto failed = [&](std::string_view what) {
        return make_error(ErrorKind::kIo, fmt::format("cannot pack {} into {}: {}", folder, zip_path, what));
    };
    if (archive == nullptr) return failed(fmt::format("zip error {}", code));
    std::size_t files = 0;
    std::error_code error;
    for (fs::directory_iterator at{folder, error}, end; !error && at != end; at.increment(error)) {
        const auto name = at->path().filename().string();
        if (!lower_ascii(name).ends_with(".csv") || !at->is_regular_file(error)) continue;
        zip_source_t* const source = zip_source_file(archive, at->path().c_str(), 0, -1);
        if (source == nullptr || zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8) < 0) {
            if (source != nullptr) zip_source_free(source);
            const std::string why = zip_strerror(archive);
            zip_discard(archive);
            return failed(why);
        }
        ++files;
    }
    if (error || files == 0) {
        zip_discard(archive);
        return failed(error ? error.message() : "the folder holds no .csv file");
    }
    if (zip_close(archive) != 0) {
        const std::string why = zip_strerror(archive);
        zip_discard(archive);
        return failed(why);
    }
    return {};
}

}  // namespace fieldwarden::supervisor
