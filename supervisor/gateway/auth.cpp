#include "supervisor/gateway/auth.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "supervisor/accounts/secrets.h"
#include "supervisor/gateway/gateway.h"

namespace fieldwarden::supervisor {

namespace {

Result<std::string> read_token(int fd, const std::string& path) {
    std::array<char, 512> buffer{};
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0) {
        return make_error(ErrorKind::kIo, fmt::format("cannot read {}: {}", path, errno_text(errno)));
    }
    std::string token(buffer.data(), static_cast<std::size_t>(got));
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) {
        token.pop_back();
    }
    const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
    if (token.size() < 20 || token.size() == buffer.size() || !std::ranges::all_of(token, printable)) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("{} does not hold a token of 20 to 511 printable characters; remove it "
                                      "and start again to get a new one",
                                      path));
    }
    return token;
}

Result<std::string> write_token(int fd, const std::string& path) {
    auto token = random_secret();
    if (!token) return token;
    const auto line = *token + "\n";
    if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()) || ::fsync(fd) != 0) {
        return make_error(ErrorKind::kIo, fmt::format("cannot write {}: {}", path, errno_text(errno)));
    }
    return token;
}

}  // namespace

Result<std::string> load_or_create_admin_token(const std::string& data_dir) {
    const auto path = data_dir + "/admin.token";
    if (const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC); fd >= 0) {
        // A token that others could read would be no secret, whoever loosened the mode.
        struct stat info {};
        if (::fstat(fd, &info) == 0 && (info.st_mode & 077) != 0) ::fchmod(fd, 0600);
        auto token = read_token(fd, path);
        ::close(fd);
        return token;
    }
    if (errno != ENOENT) {
        return make_error(ErrorKind::kIo, fmt::format("cannot open {}: {}", path, errno_text(errno)));
    }
    // Written under another name and renamed, so that a token file is never half there.
    const auto draft = path + ".new";
    ::unlink(draft.c_str());
    const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return make_error(ErrorKind::kIo, fmt::format("cannot create {}: {}", draft, errno_text(errno)));
    }
    auto token = write_token(fd, draft);
    ::close(fd);
    if (token && ::rename(draft.c_str(), path.c_str()) != 0) {
        return make_error(ErrorKind::kIo, fmt::format("cannot create {}: {}", path, errno_text(errno)));
    }
    return token;
}

namespace gateway {

namespace {

constexpr std::string_view kProtocol = "fieldwarden.v1";
constexpr std::string_view kBearerPrefix = "bearer.";

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

template <class Visit>
void for_each_entry(std::string_view list, Visit visit) {
    while (!list.empty()) {
        const auto end = std::min(list.find(','), list.size());
        visit(trimmed(list.substr(0, end)));
        list.remove_prefix(std::min(end + 1, list.size()));
    }
}

class AdminToken : public Authenticator {
  public:
    explicit AdminToken(std::string token) : token_(std::move(token)) {}

    std::optional<Identity> identify(std::string_view bearer_token) override {
        if (!equal_in_constant_time(token_, bearer_token)) return std::nullopt;
        Identity identity;
        identity.username = kAdminTokenName;
        identity.role = Role::kAdmin;
        return identity;
    }

  private:
    std::string token_;
};

}  // namespace

std::unique_ptr<Authenticator> admin_token_authenticator(std::string token) {
    return std::make_unique<AdminToken>(std::move(token));
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    // The length of the expected token is no secret; its characters are.
    if (a.size() != b.size()) return false;
    unsigned char difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference = static_cast<unsigned char>(
            difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
    }
    return difference == 0;
}

std::string bearer_token(const HttpRequest& request, bool websocket) {
    const auto authorization = request.header("authorization");
    constexpr std::string_view kScheme = "bearer ";
    if (authorization.size() > kScheme.size() &&
        equal_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) {
        return std::string(trimmed(authorization.substr(kScheme.size())));
    }
    std::string token;
    if (websocket && authorization.empty()) {
        for_each_entry(request.header("sec-websocket-protocol"), [&](std::string_view entry) {
            if (entry.starts_with(kBearerPrefix)) token = entry.substr(kBearerPrefix.size());
        });
    }
    return token;
}

std::string session_cookie(const HttpRequest& request) {
    auto cookies = request.header("cookie");
    while (!cookies.empty()) {
        const auto end = std::min(cookies.find(';'), cookies.size());
        const auto cookie = trimmed(cookies.substr(0, end));
        if (cookie.starts_with(kSessionCookie) && cookie.substr(kSessionCookie.size()).starts_with('=')) {
            return std::string(cookie.substr(kSessionCookie.size() + 1));
        }
        cookies.remove_prefix(std::min(end + 1, cookies.size()));
    }
    return {};
}

std::string accepted_subprotocol(std::string_view offered) {
    std::string accepted;
    for_each_entry(offered, [&](std::string_view entry) {
        if (entry == kProtocol || (entry.starts_with(kBearerPrefix) && accepted.empty())) accepted = entry;
    });
    return accepted;
}

bool origin_allowed(std::string_view origin, std::string_view host) {
    if (origin.empty()) return true;
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (origin.starts_with(scheme)) {
            return !host.empty() && equal_ignoring_case(origin.substr(scheme.size()), host);
        }
    }
    return false;
}

}  // namespace gateway
}  // namespace fieldwarden::supervisor
