// Certificates on disk, under <data dir>/pki/opcua:
//
//   own/certificate.der, own/private_key.pem   who we are; made at first use, kept for good (key: mode 0600)
//   trusted/<endpoint>.der                     the certificate a server showed first
//
// Several workers use the same folder at the same time: making is under a lock, files appear whole.
#pragma once

#include <memory>
#include <string>

#include "worker/drivers/opcua/crypto.h"

namespace fieldwarden::worker::opcua {

// From the environment of a worker; without one a folder of this process alone, removed at its end.
std::string data_directory();

// `data_dir`: as above.
Result<std::shared_ptr<const Identity>> own_identity(const std::string& data_dir);

enum class Trust : std::uint8_t { kFirstUse, kKnown };

struct TrustPolicy {
    Trust trust = Trust::kFirstUse;
    std::string pinned_sha256;  // hexadecimal; empty: not pinned
};

// Whether `shown` may be the server at `url`. With first use an unknown one is kept. The error says what
// changed and what to do.
Status check_server_certificate(const std::string& data_dir, const std::string& url, const Certificate& shown,
                                const TrustPolicy& policy);

}  // namespace fieldwarden::worker::opcua
