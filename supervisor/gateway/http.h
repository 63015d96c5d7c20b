// An HTTP call as the API handlers see it: plain values, no sockets, no Beast.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/enum_table.h"
#include "supervisor/accounts/signed_in.h"
#include "supervisor/gateway/stream_plan.h"

namespace fieldwarden::supervisor::gateway {

enum class Method : std::uint8_t { kGet, kPost, kPatch, kDelete };

using supervisor::Role;

using Identity = SignedIn;

using Query = std::vector<std::pair<std::string, std::string>>;  // decoded, in order

// A file part of a multipart upload, already on disk. Whoever takes the request moves or removes it.
struct UploadedFile {
    std::filesystem::path path;
    std::string file_name;  // as the client named it; never used as a path
    std::uint64_t size = 0;
};

struct HttpRequest {
    Method method = Method::kGet;
    std::string path;  // canonical: "/api/v1/tasks/T1", aliases resolved, no trailing slash
    std::map<std::string, std::string, std::less<>> params;  // {id} of the route's pattern
    Query query;
    std::map<std::string, std::string, std::less<>> headers;  // names in lower case
    std::string body;                                         // empty for an upload
    std::optional<UploadedFile> upload;
    std::map<std::string, std::string, std::less<>> form;  // the other fields of an upload
    Identity identity;
    std::string remote;   // address of the client, without its port
    bool secure = false;  // came over TLS
    std::string request_id;

    // "" when it is not there; the last one of several.
    [[nodiscard]] std::string_view header(std::string_view name) const;
    [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const;
    [[nodiscard]] const std::string& param(std::string_view name) const;  // must be in the pattern
};

struct HttpResponse {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    std::optional<StreamPlan> stream;  // what to send on a WebSocket or as server-sent events
};

}  // namespace fieldwarden::supervisor::gateway

namespace fieldwarden {
template <>
struct EnumNames<supervisor::gateway::Method> {
    using E = supervisor::gateway::Method;
    static constexpr std::array<EnumName<E>, 4> table{{
        {E::kGet, "GET"},
        {E::kPost, "POST"},
        {E::kPatch, "PATCH"},
        {E::kDelete, "DELETE"},
    }};
};
}  // namespace fieldwarden
