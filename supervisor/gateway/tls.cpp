#include "supervisor/gateway/tls.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <vector>

namespace fieldwarden::supervisor::gateway {

namespace ssl = boost::asio::ssl;

namespace {

constexpr std::chrono::seconds kLookInterval{1};
// Of TLS 1.2; those of 1.3 are all good.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

Error file_error(std::string_view what, const std::string& path, std::string_view why) {
    return make_error(ErrorKind::kInvalidArgument,
                      fmt::format("{} '{}' cannot be used: {}", what, path, why));
}

std::optional<std::string> unreadable(const std::string& path) {
    if (path.empty()) return "no file is named";
    if (::access(path.c_str(), R_OK) != 0) return errno_text(errno);
    return std::nullopt;
}

Result<std::string> pin_of(SSL_CTX* context) {
    const X509* certificate = SSL_CTX_get0_certificate(context);
    unsigned char* der = nullptr;
    const int size = certificate == nullptr ? -1 : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size < 0) return make_error(ErrorKind::kInternal, "the certificate has no public key");
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned digest_size = 0;
    EVP_Digest(der, static_cast<std::size_t>(size), digest.data(), &digest_size, EVP_sha256(), nullptr);
    OPENSSL_free(der);
    std::array<unsigned char, 64> text{};
    const int length = EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(digest_size));
    return "sha256//" + std::string(text.begin(), text.begin() + length);
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
    static constexpr std::array<unsigned char, 9> kHttp11{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* chosen = nullptr;
    const int found =
        SSL_select_next_proto(&chosen, out_size, kHttp11.data(), kHttp11.size(), offered, offered_size);
    if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

std::string Tls::state_of(const TlsFiles& files) {
    std::string state;
    for (const auto& path : {files.certificate, files.private_key}) {
        struct stat info {};
        if (::stat(path.c_str(), &info) != 0) return state + "missing";
        state += fmt::format("{}:{}:{}.{:09};", info.st_ino, info.st_size, info.st_mtim.tv_sec,
                             info.st_mtim.tv_nsec);
    }
    return state;
}

Result<Tls::Loaded> Tls::read(const TlsFiles& files) {
    Loaded loaded{std::make_shared<ssl::context>(ssl::context::tls_server), {}, state_of(files)};
    if (const auto why = unreadable(files.certificate))
        return file_error("server.tls_certificate", files.certificate, *why);
    if (const auto why = unreadable(files.private_key))
        return file_error("server.tls_private_key", files.private_key, *why);
    auto& context = *loaded.context;
    auto* native = context.native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    SSL_CTX_set_options(native,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_cipher_list(native, kCiphers);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // an idle client costs no buffers
    SSL_CTX_set_alpn_select_cb(native, choose_protocol, nullptr);
    boost::system::error_code error;
    context.use_certificate_chain_file(files.certificate, error);
    if (error)
        return file_error("server.tls_certificate", files.certificate, error.message() + "; it is to be PEM");
    // An encrypted key would have OpenSSL ask the terminal.
    context.set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string{}; },
                                  error);
    context.use_private_key_file(files.private_key, ssl::context::pem, error);
    if (error) {
        return file_error(
            "server.tls_private_key", files.private_key,
            error.message() + "; it is to be PEM, without a pass phrase, and that of the certificate");
    }
    auto pin = pin_of(native);
    if (!pin) return pin.error();
    loaded.pin = std::move(*pin);
    return loaded;
}

Result<std::unique_ptr<Tls>> Tls::load(TlsFiles files, Log log) {
    auto loaded = read(files);
    if (!loaded) return loaded.error();
    return std::unique_ptr<Tls>{new Tls{std::move(files), std::move(log), std::move(*loaded)}};
}

std::shared_ptr<ssl::context> Tls::current(MonoTime now) {
    if (now - looked_at_ < kLookInterval) return loaded_.context;
    looked_at_ = now;
    const auto state = state_of(files_);
    if (state == loaded_.state) return loaded_.context;
    auto renewed = read(files_);
    if (renewed) {
        loaded_ = std::move(*renewed);
        log_(proto::LogLevel::kInfo,
             fmt::format("the certificate {} was renewed and is in force", files_.certificate));
    } else {
        // Said once for each state of the files.
        loaded_.state = state;
        log_(proto::LogLevel::kError,
             fmt::format("the certificate was changed; the old one stays in force: {}",
                         renewed.error().message));
    }
    return loaded_.context;
}

}  // namespace fieldwarden::supervisor::gateway
