// The HTTP side of the client: one supervisor, one token.
//
// Errors. kUnavailable: the supervisor cannot be reached (exit code 3). Anything it refuses comes back with
// the text of its problem document: kNotFound 404, kConflict 409, kInvalidArgument 4xx, kInternal 5xx.
// Threads: one.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"

namespace fieldwarden::supervisor::cli {

using Json = nlohmann::json;

class ApiClient {
  public:
    // `server`: "http://host:port" or "host:port".
    // `pin`: of the server's certificate ("sha256//…"), which is then trusted whoever signed it; "": the
    // system's authorities decide, or those in the file `authorities`.
    ApiClient(std::string server, std::string token, std::string pin = {}, std::string authorities = {});
    ~ApiClient();
    ApiClient(const ApiClient&) = delete;
    ApiClient& operator=(const ApiClient&) = delete;

    [[nodiscard]] const std::string& server() const { return server_; }

    // Paths are below /api/v1, as in "/tasks/T1/logs". The answer's JSON; null for an empty one. `label`
    // heads the progress line that appears when the call takes longer than a second.
    Result<Json> get(const std::string& path, const std::string& label = "waiting for the supervisor");
    Result<Json> post(const std::string& path, const Json& body,
                      const std::string& label = "waiting for the supervisor");
    Result<Json> patch(const std::string& path, const Json& body);
    Result<Json> remove(const std::string& path);  // DELETE
    // multipart/form-data with the file as part `file`.
    Result<Json> upload(const std::string& path, const std::string& file, const std::string& file_name,
                        const std::vector<std::pair<std::string, std::string>>& fields);
    // Into `destination`, which is replaced only by a complete answer; "-" is standard output.
    Status download(const std::string& path, const std::string& destination);
    // Every page of a list.
    Result<std::vector<Json>> get_all(const std::string& path);
    // Hands on the bytes of an event stream as they come, until it ends or `on_bytes` returns false (then
    // success).
    Status stream(const std::string& path, const std::vector<std::string>& headers,
                  const std::function<bool(std::string_view)>& on_bytes);

    // For one path segment or query value.
    [[nodiscard]] static std::string escaped(std::string_view text);

  private:
    struct Call;
    Result<Json> json_call(Call& call);
    Status perform(Call& call);
    [[nodiscard]] Error refused(long status, const std::string& body) const;

    std::string server_;
    std::string token_;
    std::string pin_;
    std::string authorities_;
    struct Handle;
    std::unique_ptr<Handle> handle_;
};

}  // namespace fieldwarden::supervisor::cli
