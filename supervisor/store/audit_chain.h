// The audit trail is append-only and each entry carries the hash of the one before, so that a change of an
// entry, its removal or an insertion shows (FIPS 180-4, SHA-256). What it cannot show by itself is that the
// newest entries are missing: whoever needs that keeps the newest hash elsewhere.
//
// Pure. Both stores hash alike, so that a copied trail verifies in the other.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

// Of the entry behind `previous` (hex; "" for the first). Covers every member but `hash` itself: each as its
// length, a colon and its bytes; the id and the time (microseconds since 1970 UTC) as decimal numbers, the
// detail as compact JSON with its keys in order and U+FFFD for what is no UTF-8.
std::string audit_hash(std::string_view previous, const AuditEntry& entry);

// Walks the trail, oldest first, in as many pieces as it is given in.
class AuditWalk {
  public:
    // The first entry that does not follow from the one before; nullopt while all do.
    std::optional<AuditEntry> take(const std::vector<AuditEntry>& next);
    [[nodiscard]] const std::string& newest_hash() const { return previous_; }

  private:
    std::string previous_;
};

}  // namespace fieldwarden::supervisor
