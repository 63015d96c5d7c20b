#include "worker/drivers/opcua/pki.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "common/data_paths.h"
#include "proto/wire.h"

namespace fieldwarden::worker::opcua {

namespace {

constexpr std::size_t kLongestFile = 1U << 20;

struct Descriptor {
    explicit Descriptor(int number) : fd(number) {}
    ~Descriptor() {
        if (fd >= 0) close(fd);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    const int fd;
};

Error io(const std::string& path, std::string_view what) {
    return make_error(ErrorKind::kIo,
                      fmt::format("{} {}: {}; check the rights and the space of the data directory", what,
                                  path, errno_text(errno)));
}

// nullopt: there is no such file.
Result<std::optional<Buffer>> read_file(const std::string& path) {
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.fd < 0) {
        if (errno == ENOENT) return std::optional<Buffer>{};
        return io(path, "reading");
    }
    Buffer bytes;
    std::array<std::uint8_t, 4096> part{};
    for (;;) {
        const auto got = ::read(file.fd, part.data(), part.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io(path, "reading");
        if (got == 0) return std::optional{std::move(bytes)};
        bytes.insert(bytes.end(), part.begin(), part.begin() + got);
        if (bytes.size() > kLongestFile)
            return make_error(ErrorKind::kCorrupt, fmt::format("{} is longer than any certificate", path));
    }
}

// Appears whole or not at all, and survives a power cut.
Status write_file(const std::string& path, View bytes, mode_t mode) {
    const auto beside = fmt::format("{}.{}.new", path, getpid());
    {
        const Descriptor file{::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)};
        if (file.fd < 0) return io(beside, "writing");
        while (!bytes.empty()) {
            const auto put = ::write(file.fd, bytes.data(), bytes.size());
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return io(beside, "writing");
            bytes = bytes.subspan(static_cast<std::size_t>(put));
        }
        if (fsync(file.fd) != 0) return io(beside, "writing");
    }
    if (rename(beside.c_str(), path.c_str()) != 0) return io(path, "writing");
    return {};
}

std::string host_name() {
    std::array<char, 256> name{};
    if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
    std::string host{name.data()};
    // It becomes a part of a certificate extension's text.
    std::replace_if(
        host.begin(), host.end(),
        [](char c) {
            return !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
                   c != '.' && c != '-';
        },
        '-');
    return host;
}

// A folder that goes with the process.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "fieldwarden-XXXXXX").string();
        if (mkdtemp(name.data()) != nullptr) path_ = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

std::string colons(const Buffer& bytes) {
    std::string text;
    for (const auto byte : bytes) text += fmt::format("{}{:02X}", text.empty() ? "" : ":", byte);
    return text;
}

// Hexadecimal digits alone, lower case: people paste fingerprints with colons and blanks.
std::string digits_of(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == ':' || c == ' ' || c == '-') continue;
        out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

}  // namespace

std::string data_directory() {
    const char* const given = std::getenv(proto::kEnvDataDir);
    if (given != nullptr && *given != '\0') return given;
    static const TemporaryFolder folder;
    return folder.path();
}

Result<std::shared_ptr<const Identity>> own_identity(const std::string& data_dir) {
    const auto folder = data_dir + "/pki/opcua/own";
    if (auto made = make_directories(folder); !made) return made.error();
    const auto certificate_path = folder + "/certificate.der";
    const auto key_path = folder + "/private_key.pem";
    // Held until the identity is read: another worker may be making it right now.
    const Descriptor lock{::open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    if (lock.fd < 0) return io(folder + "/lock", "opening");
    while (flock(lock.fd, LOCK_EX) != 0)
        if (errno != EINTR) return io(folder + "/lock", "locking");
    auto der = read_file(certificate_path);
    if (!der) return der.error();
    auto pem = read_file(key_path);
    if (!pem) return pem.error();
    if (!*der || !*pem) {
        const auto host = host_name();
        auto made = make_identity(fmt::format("urn:{}:fieldwarden", host), host);
        if (!made) return made.error();
        const View key{reinterpret_cast<const std::uint8_t*>(made->key_pem.data()), made->key_pem.size()};
        // The key first: a certificate without its key would be of no use.
        if (auto put = write_file(key_path, key, 0600); !put) return put.error();
        if (auto put = write_file(certificate_path, made->certificate_der, 0644); !put) return put.error();
        *der = std::move(made->certificate_der);
        *pem = Buffer{key.begin(), key.end()};
    }
    auto certificate = Certificate::parse(**der);
    if (!certificate)
        return make_error(ErrorKind::kCorrupt,
                          fmt::format("{}: {}", certificate_path, certificate.error().message));
    auto key = parse_key_pem({reinterpret_cast<const char*>((*pem)->data()), (*pem)->size()});
    if (!key) return make_error(ErrorKind::kCorrupt, fmt::format("{}: {}", key_path, key.error().message));
    return std::make_shared<const Identity>(
        Identity{std::move(*certificate), std::shared_ptr<evp_pkey_st>{key->release(), FreeKey{}}});
}

Status check_server_certificate(const std::string& data_dir, const std::string& url, const Certificate& shown,
                                const TrustPolicy& policy) {
    const auto print = shown.sha256();
    if (!policy.pinned_sha256.empty()) {
        if (digits_of(policy.pinned_sha256) == hex(print)) return {};
        return make_error(
            ErrorKind::kConflict,
            fmt::format("the server's certificate ({}, SHA-256 {}) is not the one of option "
                        "server_certificate_sha256; compare the fingerprint with the server's and "
                        "correct the option when it is right",
                        shown.subject(), colons(print)));
    }
    const auto folder = data_dir + "/pki/opcua/trusted";
    if (auto made = make_directories(folder); !made) return made;
    const auto path = fmt::format("{}/{}.der", folder, file_name_of(url));
    const auto kept = read_file(path);
    if (!kept) return kept.error();
    if (!*kept) {
        if (policy.trust == Trust::kFirstUse) return write_file(path, shown.der(), 0644);
        return make_error(
            ErrorKind::kConflict,
            fmt::format("the server's certificate ({}, SHA-256 {}) is not known and option trust=known "
                        "takes no unknown one; put it in {} or set trust=first_use",
                        shown.subject(), colons(print), path));
    }
    if (**kept == shown.der()) return {};
    return make_error(
        ErrorKind::kConflict,
        fmt::format("the server's certificate has changed: it was SHA-256 {} and is now {} ({}). When "
                    "the server was set up anew, remove {} and the new one is trusted at the next "
                    "connection; otherwise somebody may be listening in",
                    colons(sha256(**kept)), colons(print), shown.subject(), path));
}

}  // namespace fieldwarden::worker::opcua
