#include "worker/drivers/opcua/crypto.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <climits>

namespace fieldwarden::worker::opcua {

namespace {

constexpr std::size_t kAesBlock = 16;
constexpr long kCertificateSeconds = 20L * 365 * 24 * 3600;

struct FreeContext {
    void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
template <class T>
using Owned = std::unique_ptr<T, FreeContext>;

// Takes the oldest error OpenSSL queued, and forgets the rest.
Error failed(std::string_view what) {
    const auto code = ERR_get_error();
    ERR_clear_error();
    std::array<char, 160> text{};
    ERR_error_string_n(code, text.data(), text.size());
    return make_error(ErrorKind::kCorrupt, fmt::format("{}: {}", what, code == 0 ? "refused" : text.data()));
}

Buffer digest(const EVP_MD* kind, View bytes) {
    Buffer out(static_cast<std::size_t>(EVP_MD_get_size(kind)));
    unsigned length = 0;
    EVP_Digest(bytes.data(), bytes.size(), out.data(), &length, kind, nullptr);
    return out;
}

const EVP_MD* hash_of(Oaep hash) {
    switch (hash) {
        case Oaep::kSha1:
            return EVP_sha1();
        case Oaep::kSha256:
            return EVP_sha256();
    }
    return EVP_sha1();
}

bool set_oaep(EVP_PKEY_CTX* context, Oaep hash) {
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(context, hash_of(hash)) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash_of(hash)) > 0;
}

Status aes(View key, View iv, std::span<std::uint8_t> bytes, bool encrypting) {
    if (key.size() != 32 || iv.size() != kAesBlock || bytes.size() % kAesBlock != 0 || bytes.size() > INT_MAX)
        return make_error(ErrorKind::kCorrupt, "the encrypted part is no whole number of AES blocks");
    const Owned<EVP_CIPHER_CTX> context{EVP_CIPHER_CTX_new()};
    int length = 0;
    int rest = 0;
    if (EVP_CipherInit_ex(context.get(), EVP_aes_256_cbc(), nullptr, key.data(), iv.data(),
                          encrypting ? 1 : 0) != 1 ||
        EVP_CIPHER_CTX_set_padding(context.get(), 0) != 1 ||
        EVP_CipherUpdate(context.get(), bytes.data(), &length, bytes.data(),
                         static_cast<int>(bytes.size())) != 1 ||
        EVP_CipherFinal_ex(context.get(), bytes.data() + length, &rest) != 1) {
        return failed("AES-256-CBC");
    }
    return {};
}

bool add_extension(X509* certificate, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const Owned<X509_EXTENSION> extension{X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str())};
    return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

}  // namespace

void FreeKey::operator()(evp_pkey_st* key) const {
    EVP_PKEY_free(key);
}
void FreeCertificate::operator()(x509_st* certificate) const {
    X509_free(certificate);
}

// --- certificates ----------------------------------------------------------------------------------------

Result<Certificate> Certificate::parse(View der) {
    if (der.empty() || der.size() > 1U << 20)
        return make_error(ErrorKind::kCorrupt, "there is no certificate, or it is longer than 1 MiB");
    const auto* at = der.data();
    x509_st* const parsed = d2i_X509(nullptr, &at, static_cast<long>(der.size()));
    if (parsed == nullptr) return failed("the certificate does not decode");
    Certificate out;
    out.certificate_ = std::shared_ptr<x509_st>{parsed, FreeCertificate{}};
    out.der_.assign(der.data(), at);
    return out;
}

Buffer Certificate::sha1() const {
    return opcua::sha1(der_);
}
Buffer Certificate::sha256() const {
    return opcua::sha256(der_);
}

Result<Key> Certificate::key() const {
    Key key{X509_get_pubkey(certificate_.get())};
    if (key == nullptr || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA)
        return make_error(ErrorKind::kConflict, "the certificate holds no RSA key");
    const int bits = EVP_PKEY_get_bits(key.get());
    if (bits < kLeastKeyBits || bits > kMostKeyBits) {
        return make_error(ErrorKind::kConflict,
                          fmt::format("the certificate's key has {} bits; Basic256Sha256 takes {} to {}",
                                      bits, kLeastKeyBits, kMostKeyBits));
    }
    return key;
}

std::string Certificate::application_uri() const {
    const Owned<GENERAL_NAMES> names{static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate_.get(), NID_subject_alt_name, nullptr, nullptr))};
    for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const auto* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_URI) continue;
        const auto* uri = name->d.uniformResourceIdentifier;
        return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                static_cast<std::size_t>(ASN1_STRING_length(uri))};
    }
    return {};
}

std::string Certificate::subject() const {
    std::array<char, 256> text{};
    X509_NAME_oneline(X509_get_subject_name(certificate_.get()), text.data(), text.size());
    return text.data();
}

Result<NewIdentity> make_identity(const std::string& application_uri, const std::string& host) {
    const Key key{EVP_RSA_gen(kLeastKeyBits)};
    const std::unique_ptr<x509_st, FreeCertificate> certificate{X509_new()};
    if (key == nullptr || certificate == nullptr) return failed("making an RSA key");
    auto* const x = certificate.get();
    const auto serial = random_bytes(8);
    std::int64_t number = 1;
    for (const auto byte : serial) number = (number << 7 & 0x7fff'ffff'ffff) | byte;
    auto* const name = X509_get_subject_name(x);
    const auto entry = [&](const char* field, std::string_view value) {
        return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                          reinterpret_cast<const unsigned char*>(value.data()),
                                          static_cast<int>(value.size()), -1, 0) == 1;
    };
    const bool made =
        X509_set_version(x, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set_int64(X509_get_serialNumber(x), number) == 1 &&
        // A day early: the clocks of two machines differ.
        X509_gmtime_adj(X509_getm_notBefore(x), -24L * 3600) != nullptr &&
        X509_gmtime_adj(X509_getm_notAfter(x), kCertificateSeconds) != nullptr &&
        X509_set_pubkey(x, key.get()) == 1 && entry("CN", "Fieldwarden") && entry("O", "Fieldwarden") &&
        entry("DC", host) && X509_set_issuer_name(x, name) == 1 &&
        add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(x, NID_subject_key_identifier, "hash") &&
        add_extension(x, NID_authority_key_identifier, "keyid:always") &&
        add_extension(
            x, NID_key_usage,
            "critical,digitalSignature,nonRepudiation,keyEncipherment,dataEncipherment,keyCertSign") &&
        add_extension(x, NID_ext_key_usage, "clientAuth") &&
        add_extension(x, NID_subject_alt_name, fmt::format("URI:{},DNS:{}", application_uri, host)) &&
        X509_sign(x, key.get(), EVP_sha256()) > 0;
    if (!made) return failed("making a certificate");
    NewIdentity out;
    unsigned char* der = nullptr;
    const int length = i2d_X509(x, &der);
    if (length <= 0) return failed("encoding the certificate");
    out.certificate_der.assign(der, der + length);
    OPENSSL_free(der);
    const Owned<BIO> memory{BIO_new(BIO_s_mem())};
    if (PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return failed("encoding the private key");
    char* pem = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &pem);
    out.key_pem.assign(pem, static_cast<std::size_t>(size));
    return out;
}

Result<Key> parse_key_pem(std::string_view pem) {
    const Owned<BIO> memory{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    Key key{PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, nullptr)};
    if (key == nullptr) return failed("the private key does not decode");
    return key;
}

// --- symmetric -------------------------------------------------------------------------------------------

Buffer random_bytes(std::size_t count) {
    Buffer out(count);
    // A generator that cannot be seeded leaves nothing that may be used as a nonce.
    if (RAND_bytes(out.data(), static_cast<int>(count)) != 1) std::abort();
    return out;
}

Buffer sha1(View bytes) {
    return digest(EVP_sha1(), bytes);
}
Buffer sha256(View bytes) {
    return digest(EVP_sha256(), bytes);
}

Buffer hmac_sha256(View key, View bytes) {
    Buffer out(32);
    unsigned length = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes.data(), bytes.size(), out.data(),
         &length);
    return out;
}

Buffer p_sha256(View secret, View seed, std::size_t count) {
    Buffer out;
    Buffer a{seed.begin(), seed.end()};
    while (out.size() < count) {
        a = hmac_sha256(secret, a);
        Buffer block = a;
        block.insert(block.end(), seed.begin(), seed.end());
        const auto part = hmac_sha256(secret, block);
        out.insert(out.end(), part.begin(), part.end());
    }
    out.resize(count);
    return out;
}

bool equal(View a, View b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string hex(View bytes) {
    std::string text;
    for (const auto byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
}

Status aes_encrypt(View key, View iv, std::span<std::uint8_t> bytes) {
    return aes(key, iv, bytes, true);
}
Status aes_decrypt(View key, View iv, std::span<std::uint8_t> bytes) {
    return aes(key, iv, bytes, false);
}

// --- RSA -------------------------------------------------------------------------------------------------

std::size_t key_bytes(evp_pkey_st* key) {
    return static_cast<std::size_t>(EVP_PKEY_get_size(key));
}

Result<Buffer> sign(evp_pkey_st* key, View bytes) {
    const Owned<EVP_MD_CTX> context{EVP_MD_CTX_new()};
    Buffer out(key_bytes(key));
    std::size_t length = out.size();
    if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
        EVP_DigestSign(context.get(), out.data(), &length, bytes.data(), bytes.size()) != 1)
        return failed("signing with the private key");
    out.resize(length);
    return out;
}

bool verify(evp_pkey_st* key, View bytes, View signature) {
    const Owned<EVP_MD_CTX> context{EVP_MD_CTX_new()};
    const bool fine =
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
        EVP_DigestVerify(context.get(), signature.data(), signature.size(), bytes.data(), bytes.size()) == 1;
    ERR_clear_error();
    return fine;
}

std::size_t plain_block(evp_pkey_st* key, Oaep hash) {
    return key_bytes(key) - 2 * static_cast<std::size_t>(EVP_MD_get_size(hash_of(hash))) - 2;
}

Result<Buffer> encrypt(evp_pkey_st* key, View plain, Oaep hash) {
    const Owned<EVP_PKEY_CTX> context{EVP_PKEY_CTX_new(key, nullptr)};
    if (context == nullptr || EVP_PKEY_encrypt_init(context.get()) != 1 || !set_oaep(context.get(), hash))
        return failed("RSA-OAEP");
    Buffer out;
    const auto block = plain_block(key, hash);
    for (std::size_t at = 0; at < plain.size(); at += block) {
        const auto part = plain.subspan(at, std::min(block, plain.size() - at));
        const auto from = out.size();
        std::size_t length = key_bytes(key);
        out.resize(from + length);
        if (EVP_PKEY_encrypt(context.get(), out.data() + from, &length, part.data(), part.size()) != 1)
            return failed("RSA-OAEP encryption");
        out.resize(from + length);
    }
    return out;
}

Result<Buffer> decrypt(evp_pkey_st* key, View cipher, Oaep hash) {
    const auto block = key_bytes(key);
    if (cipher.empty() || cipher.size() % block != 0)
        return make_error(ErrorKind::kCorrupt, "the encrypted part is no whole number of RSA blocks");
    const Owned<EVP_PKEY_CTX> context{EVP_PKEY_CTX_new(key, nullptr)};
    if (context == nullptr || EVP_PKEY_decrypt_init(context.get()) != 1 || !set_oaep(context.get(), hash))
        return failed("RSA-OAEP");
    Buffer out;
    for (std::size_t at = 0; at < cipher.size(); at += block) {
        const auto from = out.size();
        std::size_t length = block;
        out.resize(from + length);
        if (EVP_PKEY_decrypt(context.get(), out.data() + from, &length, cipher.data() + at, block) != 1)
            return failed("RSA-OAEP decryption");
        out.resize(from + length);
    }
    return out;
}

}  // namespace fieldwarden::worker::opcua
