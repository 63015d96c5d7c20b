// Which endpoint and which user token to take of those a server offers (OPC UA Part 4, 5.4.4 and 7.41), and
// the secret that carries a password (7.41.2.2, 7.41.4). Pure.
#pragma once

#include "worker/drivers/opcua/messages.h"

namespace fieldwarden::worker::opcua {

struct SignIn {
    std::string username;  // empty: anonymous
    std::string password;
    bool allow_plain_sign_in = false;  // over a connection that anybody can read
};

// The one with the wanted mode (None, or Basic256Sha256) and the highest level the server gives it. The error
// lists what there is.
Result<Endpoint> choose_endpoint(const std::vector<Endpoint>& offered, SecurityMode mode);

// How a password travels.
struct PasswordCipher {
    bool encrypted = false;
    Oaep hash = Oaep::kSha1;
    std::string_view algorithm;  // its URI; empty when not encrypted
};
struct ChosenToken {
    std::string id;
    PasswordCipher cipher;
};
Result<ChosenToken> choose_token(const Endpoint& endpoint, const SignIn& sign_in);

// What goes into the user name token: the password with the server's nonce, encrypted block by block.
Result<Buffer> seal_password(std::string_view password, View server_nonce, evp_pkey_st* server_key,
                             const PasswordCipher& cipher);

}  // namespace fieldwarden::worker::opcua
