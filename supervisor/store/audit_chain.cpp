#include "supervisor/store/audit_chain.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <memory>

namespace fieldwarden::supervisor {

namespace {

// A member with its length in front: no two entries give the same text.
void append(std::string& text, std::string_view member) {
    text += fmt::format("{}:", member.size());
    text += member;
}

std::string sha256_hex(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (::EVP_Digest(text.data(), text.size(), digest.data(), &size, ::EVP_sha256(), nullptr) != 1) return {};
    std::string hex;
    for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest.at(i));
    return hex;
}

}  // namespace

std::string audit_hash(std::string_view previous, const AuditEntry& entry) {
    std::string text;
    append(text, previous);
    append(text, std::to_string(entry.id));
    append(text, std::to_string(entry.at.time_since_epoch().count()));
    append(text, entry.actor.name);
    append(text, entry.actor.role);
    append(text, entry.actor.remote);
    append(text, entry.action);
    append(text, entry.subject);
    // Keys are in order and numbers in their shortest form, so that what was read back gives the same text.
    append(text, entry.detail.dump(-1, ' ', false, proto::Json::error_handler_t::replace));
    return sha256_hex(text);
}

std::optional<AuditEntry> AuditWalk::take(const std::vector<AuditEntry>& next) {
    for (const auto& entry : next) {
        if (entry.hash.empty() || entry.hash != audit_hash(previous_, entry)) return entry;
        previous_ = entry.hash;
    }
    return std::nullopt;
}

}  // namespace fieldwarden::supervisor
