#include "supervisor/store/transfer/copy_store.h"

namespace fieldwarden::supervisor::transfer {

Result<Copied> copy_store(RowSource& from, RowTarget& to) {
    Copied copied;
    for (const auto& table : tables()) {
        std::uint64_t rows = 0;
        const auto done = from.read(table, [&](const Row& row) -> Status {
            ++rows;
            return to.write(table, row);
        });
        if (!done) return done.error();
        if (table.numbered) {
            const auto last = from.last_id(table);
            if (!last) return last.error();
            if (const auto set = to.set_last_id(table, *last); !set) return set.error();
        }
        copied.emplace_back(table.name, rows);
    }
    const auto revision = from.revision();
    if (!revision) return revision.error();
    if (const auto set = to.set_revision(*revision); !set) return set.error();
    if (const auto committed = to.commit(); !committed) return committed.error();
    return copied;
}

}  // namespace fieldwarden::supervisor::transfer
