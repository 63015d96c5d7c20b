// One multipart upload on its way to disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "supervisor/gateway/http.h"
#include "supervisor/gateway/multipart.h"

namespace fieldwarden::supervisor::gateway {

struct FinishedUpload {
    std::map<std::string, std::string, std::less<>> fields;
    std::optional<UploadedFile> file;
};

// Writes the first file part to a new file (mode 0600) under `directory`; the file is removed again unless
// finish() succeeded and handed it over. Threads: one call at a time. Errors: kInvalidArgument for a body
// that is not well-formed, kTooLarge over a limit, kIo from the disk.
class UploadReceiver {
  public:
    static constexpr std::size_t kMostFieldBytes = 64 * 1024;  // of all fields that are not files

    static Result<std::unique_ptr<UploadReceiver>> create(const std::filesystem::path& directory,
                                                          std::string_view content_type,
                                                          std::uint64_t max_file_bytes);
    ~UploadReceiver();
    UploadReceiver(const UploadReceiver&) = delete;
    UploadReceiver& operator=(const UploadReceiver&) = delete;

    Status feed(std::string_view chunk);
    Result<FinishedUpload> finish();

  private:
    UploadReceiver(std::filesystem::path directory, std::string_view boundary, std::uint64_t max_file_bytes);
    Status begin_part(const PartHeader& header);
    Status take_data(std::string_view data);
    Status end_part();

    std::filesystem::path directory_;
    std::uint64_t max_file_bytes_;
    MultipartParser parser_;
    FinishedUpload result_;
    std::string field_name_;  // of the part being read
    std::size_t field_bytes_ = 0;
    int fd_ = -1;  // of the file part being read
};

}  // namespace fieldwarden::supervisor::gateway
