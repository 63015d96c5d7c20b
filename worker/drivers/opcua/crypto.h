// What the security policies need of OpenSSL: keys, certificates and the algorithms of Basic256Sha256 (OPC UA
// Part 7, 6.6.165) and of the policies that a password may be encrypted with. Bytes in, bytes out; no file,
// no socket. An OpenSSL error becomes an Error that says what was tried.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"
#include "worker/drivers/opcua/binary.h"

struct evp_pkey_st;
struct x509_st;

namespace fieldwarden::worker::opcua {

inline constexpr std::string_view kPolicyNone = "http://opcfoundation.org/UA/SecurityPolicy#None";
inline constexpr std::string_view kPolicyBasic256Sha256 =
    "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256";

struct FreeKey {
    void operator()(evp_pkey_st* key) const;
};
struct FreeCertificate {
    void operator()(x509_st* certificate) const;
};
using Key = std::unique_ptr<evp_pkey_st, FreeKey>;

// The key length that Basic256Sha256 allows, in bits.
inline constexpr int kLeastKeyBits = 2048;
inline constexpr int kMostKeyBits = 4096;

class Certificate {
  public:
    // The first certificate of `der`, which may be a chain.
    static Result<Certificate> parse(View der);
    [[nodiscard]] const Buffer& der() const { return der_; }
    [[nodiscard]] Buffer sha1() const;    // the thumbprint of the protocol
    [[nodiscard]] Buffer sha256() const;  // the fingerprint for people
    // The public key; kConflict when it is no RSA key of 2048 to 4096 bits.
    [[nodiscard]] Result<Key> key() const;
    // The first URI in subjectAltName; empty when there is none.
    [[nodiscard]] std::string application_uri() const;
    [[nodiscard]] std::string subject() const;

  private:
    Buffer der_;
    std::shared_ptr<x509_st> certificate_;
};

struct Identity {
    Certificate certificate;
    std::shared_ptr<evp_pkey_st> key;
};
// A new self-signed application certificate (Part 6, 6.2.2) with an RSA key of 2048 bits, valid for 20 years.
struct NewIdentity {
    Buffer certificate_der;
    std::string key_pem;
};
Result<NewIdentity> make_identity(const std::string& application_uri, const std::string& host);
Result<Key> parse_key_pem(std::string_view pem);

Buffer random_bytes(std::size_t count);
Buffer sha1(View bytes);
Buffer sha256(View bytes);
Buffer hmac_sha256(View key, View bytes);
// P_SHA256 of TLS 1.2 (RFC 5246, section 5), which Part 6, 6.7.5 takes for key derivation.
Buffer p_sha256(View secret, View seed, std::size_t count);
bool equal(View a, View b);  // in constant time
std::string hex(View bytes);

// RSA-PKCS1-SHA256.
Result<Buffer> sign(evp_pkey_st* key, View bytes);
bool verify(evp_pkey_st* key, View bytes, View signature);
std::size_t key_bytes(evp_pkey_st* key);

enum class Oaep : std::uint8_t { kSha1, kSha256 };
// Bytes of plain text in one block.
std::size_t plain_block(evp_pkey_st* key, Oaep hash);
// Block by block; `plain` is a multiple of plain_block() for messages, anything for secrets.
Result<Buffer> encrypt(evp_pkey_st* key, View plain, Oaep hash);
Result<Buffer> decrypt(evp_pkey_st* key, View cipher, Oaep hash);

// AES-256-CBC without padding; whole blocks only. In place.
Status aes_encrypt(View key, View iv, std::span<std::uint8_t> bytes);
Status aes_decrypt(View key, View iv, std::span<std::uint8_t> bytes);

}  // namespace fieldwarden::worker::opcua
