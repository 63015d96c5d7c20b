// Records of the configuration as JSON and back (CONTRACT 2, 3): the types follow the schema's field types.
//
//   kInteger, kNumber  number          kBoolean   true/false       kCodeList  array of texts
//   kOptions           object of texts; secrets are shown as kSecretMask
//   all others         text; the password in a URL is shown as kSecretMask
//   an empty cell      the field's fallback where it has one, otherwise null
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/problem.h"
#include "supervisor/plant/plant.h"

namespace fieldwarden::supervisor::gateway {

proto::Json record_json(Kind kind, const Record& record);

// The cells that `body` describes, as text for check_record: in schema order, masks left in place. With
// `stored` (a PATCH) a member that is missing keeps its cell; without, it is an empty cell. Members of a
// wrong type and unknown ones are added to `errors`.
std::vector<std::string> cells_from_json(Kind kind, const proto::Json& body, const Record* stored,
                                         std::vector<FieldError>& errors);

// One page of records that are given in the order of the plant, which is that of their ids.
struct RecordPage {
    std::vector<const Record*> records;
    std::uint64_t total = 0;    // on all pages
    std::optional<Place> last;  // of this page; unset on the last one
};
RecordPage page_of_records(Kind kind, std::vector<const Record*> records, const ListQuery& query);

}  // namespace fieldwarden::supervisor::gateway
