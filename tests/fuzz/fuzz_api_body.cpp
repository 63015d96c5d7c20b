// JSON bodies on their way into records: any text is refused or becomes cells, and what is shown of a record
// reads back as the same record.
#include <cstdlib>
#include <string>

#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/api/record_json.h"

using namespace fieldwarden::supervisor;
using namespace fieldwarden::supervisor::gateway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto kind = static_cast<Kind>(data[0] % kKindCount);
    const auto body = parse_json({reinterpret_cast<const char*>(data) + 1, size - 1});
    if (!body || !body->is_object()) return 0;
    std::vector<FieldError> errors;
    const auto cells = cells_from_json(kind, *body, nullptr, errors);
    if (cells.size() != schema_of(kind).fields.size()) std::abort();
    Members members(*body);
    (void)members.text("a");
    (void)members.integer("b", -10, 10);
    (void)members.texts("c", 3);
    (void)members.finish();
    Record record;
    record.cells = cells;
    (void)dump(record_json(kind, record));
    return 0;
}
