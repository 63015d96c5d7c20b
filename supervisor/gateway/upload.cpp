#include "supervisor/gateway/upload.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "supervisor/gateway/uri.h"

namespace fieldwarden::supervisor::gateway {

Result<std::unique_ptr<UploadReceiver>> UploadReceiver::create(const std::filesystem::path& directory,
                                                               std::string_view content_type,
                                                               std::uint64_t max_file_bytes) {
    const auto boundary = multipart_boundary(content_type);
    if (!boundary) {
        return make_error(
            ErrorKind::kInvalidArgument,
            "an upload is multipart/form-data with the field 'file' and a boundary in Content-Type");
    }
    return std::unique_ptr<UploadReceiver>(new UploadReceiver(directory, *boundary, max_file_bytes));
}

UploadReceiver::UploadReceiver(std::filesystem::path directory, std::string_view boundary,
                               std::uint64_t max_file_bytes)
    : directory_(std::move(directory)),
      max_file_bytes_(max_file_bytes),
      parser_(boundary,
              {[this](const PartHeader& header) { return begin_part(header); },
               [this](std::string_view data) { return take_data(data); }, [this] { return end_part(); }}) {}

UploadReceiver::~UploadReceiver() {
    if (fd_ >= 0) ::close(fd_);
    if (result_.file) ::unlink(result_.file->path.c_str());
}

Status UploadReceiver::feed(std::string_view chunk) {
    return parser_.feed(chunk);
}

Status UploadReceiver::begin_part(const PartHeader& header) {
    field_name_ = header.name;
    if (!header.file_name) {
        if (!result_.fields.emplace(header.name, "").second) {
            return make_error(ErrorKind::kInvalidArgument,
                              fmt::format("the field '{}' comes twice", header.name));
        }
        return {};
    }
    if (result_.file) return make_error(ErrorKind::kInvalidArgument, "an upload holds one file");
    if (header.name != "file") {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("the file comes in the field 'file', not '{}'", header.name.substr(0, 100)));
    }
    auto path = (directory_ / "upload-XXXXXX").string();
    fd_ = ::mkostemp(path.data(), O_CLOEXEC);
    if (fd_ < 0) {
        return make_error(ErrorKind::kIo, fmt::format("cannot create {}: {}", path, errno_text(errno)));
    }
    result_.file = UploadedFile{path, *header.file_name, 0};
    return {};
}

Status UploadReceiver::take_data(std::string_view data) {
    if (fd_ < 0) {
        field_bytes_ += data.size();
        if (field_bytes_ > kMostFieldBytes) {
            return make_error(ErrorKind::kTooLarge, "the fields beside the file take more than 64 KiB");
        }
        result_.fields[field_name_].append(data);
        return {};
    }
    auto& file = *result_.file;
    file.size += data.size();
    if (file.size > max_file_bytes_) {
        return make_error(ErrorKind::kTooLarge, fmt::format("the file is larger than {} bytes (the setting "
                                                            "server.max_upload_bytes)",
                                                            max_file_bytes_));
    }
    while (!data.empty()) {
        const auto written = ::write(fd_, data.data(), data.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            return make_error(ErrorKind::kIo,
                              fmt::format("cannot write {}: {}", file.path.string(), errno_text(errno)));
        }
        data.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Status UploadReceiver::end_part() {
    if (fd_ >= 0) {
        const int fd = std::exchange(fd_, -1);
        if (::close(fd) != 0) {
            return make_error(ErrorKind::kIo, fmt::format("cannot write {}: {}", result_.file->path.string(),
                                                          errno_text(errno)));
        }
        return {};
    }
    if (!valid_utf8(result_.fields[field_name_])) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("the field '{}' is not UTF-8", field_name_));
    }
    return {};
}

Result<FinishedUpload> UploadReceiver::finish() {
    if (!parser_.complete()) {
        return make_error(ErrorKind::kInvalidArgument,
                          "the multipart body ends before its closing boundary; the upload was cut off");
    }
    return std::exchange(result_, {});
}

}  // namespace fieldwarden::supervisor::gateway
