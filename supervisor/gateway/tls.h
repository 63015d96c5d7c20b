// The certificate the gateway shows, and its renewal.
//
// TLS 1.2 and 1.3 with forward secrecy only (RFC 9325, 3.1 and 4.1), HTTP/1.1 by ALPN. The two files are
// looked at again at most once a second when somebody connects: a renewed certificate is served without a
// restart, and one that cannot be used leaves the old one in force and is said in the log.
// Threads: load() any; current() one.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "proto/shapes.h"

namespace fieldwarden::supervisor::gateway {

struct TlsFiles {
    std::string certificate;  // PEM: the server's, then the intermediate ones
    std::string private_key;  // PEM, not encrypted

    [[nodiscard]] bool wanted() const { return !certificate.empty(); }
};

class Tls {
  public:
    using Log = std::function<void(proto::LogLevel, std::string_view)>;

    // kInvalidArgument when a file cannot be read, is no PEM, or the key is not the certificate's.
    static Result<std::unique_ptr<Tls>> load(TlsFiles files, Log log);

    // What a new connection is to use.
    std::shared_ptr<boost::asio::ssl::context> current(MonoTime now);
    // Of the certificate's public key, as curl's --pinnedpubkey takes it: "sha256//…" (RFC 7469, 2.4).
    [[nodiscard]] const std::string& pin() const { return loaded_.pin; }

  private:
    struct Loaded {
        std::shared_ptr<boost::asio::ssl::context> context;
        std::string pin;
        std::string state;  // of the files when they were read
    };
    Tls(TlsFiles files, Log log, Loaded loaded)
        : files_(std::move(files)), log_(std::move(log)), loaded_(std::move(loaded)) {}
    static Result<Loaded> read(const TlsFiles& files);
    static std::string state_of(const TlsFiles& files);

    TlsFiles files_;
    Log log_;
    Loaded loaded_;
    MonoTime looked_at_{};
};

}  // namespace fieldwarden::supervisor::gateway
