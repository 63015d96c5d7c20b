#include <fmt/format.h>

#include "supervisor/store/postgres/address.h"
#include "supervisor/store/postgres/connection.h"
#include "supervisor/store/postgres/rows.h"
#include "supervisor/store/postgres/schema.h"
#include "supervisor/store/transfer/row_store.h"

namespace fieldwarden::supervisor::transfer {

namespace {

using postgres::Answer;
using postgres::Connection;
using postgres::JsonText;
using postgres::Parameters;

constexpr int kSlice = 500;  // rows of one FETCH
// Values of one INSERT; the protocol's limit is 65,535.
constexpr std::size_t kMostValues = 8'000;

std::string quoted(const Table& table) {
    std::string columns;
    for (const auto& column : table.columns)
        columns += fmt::format("{}\"{}\"", columns.empty() ? "" : ", ", column.postgres_name);
    return columns;
}

Cell cell(const Answer& rows, int row, int at, ColumnType type) {
    if (rows.is_null(row, at)) return {};
    switch (type) {
        case ColumnType::kInteger:
            return rows.integer(row, at);
        case ColumnType::kReal:
            return rows.number(row, at);
        case ColumnType::kText:
        case ColumnType::kJson:
            return std::string{rows.text(row, at)};
        case ColumnType::kTime:
            return std::int64_t{rows.time(row, at).time_since_epoch().count()};
        case ColumnType::kFlag:
            return std::int64_t{rows.boolean(row, at) ? 1 : 0};
        case ColumnType::kDay:
            return std::int64_t{rows.day(row, at).time_since_epoch().count()};
    }
    return {};
}

template <class T, class Make>
void add_as(Parameters& parameters, const Cell& value, Make&& make) {
    using Held = decltype(make(std::declval<const T&>()));
    const auto* held = std::get_if<T>(&value);
    parameters.add(held == nullptr ? std::nullopt : std::optional<Held>{make(*held)});
}

void add(Parameters& parameters, const Cell& value, ColumnType type) {
    using Integer = std::int64_t;
    switch (type) {
        case ColumnType::kInteger:
            return add_as<Integer>(parameters, value, [](Integer n) { return n; });
        case ColumnType::kReal:
            return add_as<double>(parameters, value, [](double n) { return n; });
        case ColumnType::kText:
            return add_as<std::string>(parameters, value, [](const std::string& text) { return text; });
        case ColumnType::kJson:
            return add_as<std::string>(parameters, value,
                                       [](const std::string& text) { return JsonText{text}; });
        case ColumnType::kTime:
            return add_as<Integer>(parameters, value,
                                   [](Integer n) { return UtcTime{std::chrono::microseconds{n}}; });
        case ColumnType::kFlag:
            return add_as<Integer>(parameters, value, [](Integer n) { return n != 0; });
        case ColumnType::kDay:
            return add_as<Integer>(parameters, value,
                                   [](Integer n) { return std::chrono::sys_days{std::chrono::days{n}}; });
    }
}

class PostgresSource final : public RowSource {
  public:
    explicit PostgresSource(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

    Status read(const Table& table, const std::function<Status(const Row&)>& take) override {
        const auto declared = connection_->execute(fmt::format(
            "DECLARE rows NO SCROLL CURSOR FOR SELECT {} FROM \"{}\" ORDER BY 1", quoted(table), table.name));
        if (!declared) return declared;
        Row row(table.columns.size());
        for (;;) {
            const auto rows = connection_->run(fmt::format("FETCH {} FROM rows", kSlice));
            if (!rows) return rows.error();
            for (int at = 0; at < rows->rows(); ++at) {
                for (std::size_t i = 0; i < row.size(); ++i)
                    row[i] = cell(*rows, at, static_cast<int>(i), table.columns[i].type);
                if (const auto taken = take(row); !taken) return taken;
            }
            if (rows->rows() < kSlice) return connection_->execute("CLOSE rows");
        }
    }
    Result<std::int64_t> last_id(const Table& table) override {
        return postgres::integer_of(*connection_, "SELECT last FROM last_ids WHERE name = $1", table.name);
    }
    Result<std::int64_t> revision() override {
        return postgres::integer_of(*connection_, "SELECT value FROM meta WHERE name = 'revision'");
    }

  private:
    std::unique_ptr<Connection> connection_;
};

class PostgresTarget final : public RowTarget {
  public:
    explicit PostgresTarget(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

    Status write(const Table& table, const Row& row) override {
        if (table_ != &table) {
            if (const auto sent = send(); !sent) return sent;
            table_ = &table;
        }
        for (std::size_t i = 0; i < row.size(); ++i) add(values_, row[i], table.columns[i].type);
        ++rows_;
        return (rows_ + 1) * row.size() > kMostValues ? send() : Status{};
    }
    Status set_last_id(const Table& table, std::int64_t id) override {
        return postgres::run(*connection_, "UPDATE last_ids SET last = $1 WHERE name = $2", id, table.name);
    }
    Status set_revision(std::int64_t revision) override {
        return postgres::run(*connection_, "UPDATE meta SET value = $1 WHERE name = 'revision'", revision);
    }
    Status commit() override {
        if (const auto sent = send(); !sent) return sent;
        return connection_->execute("COMMIT");
    }

  private:
    Status send() {
        if (rows_ == 0) return {};
        std::string places;
        const auto width = table_->columns.size();
        for (std::size_t i = 0; i < rows_; ++i)
            places += fmt::format("{}({})", i == 0 ? "" : ", ", postgres::places(width, i * width + 1));
        const auto done = connection_->run(
            fmt::format("INSERT INTO \"{}\" ({}) VALUES {}", table_->name, quoted(*table_), places), values_);
        rows_ = 0;
        values_ = Parameters{};
        if (!done) return done.error();
        return {};
    }

    std::unique_ptr<Connection> connection_;
    const Table* table_ = nullptr;
    Parameters values_;
    std::size_t rows_ = 0;
};

Result<std::unique_ptr<Connection>> connect(const std::string& url, Sharing sharing) {
    const auto address = postgres::read_address(url);
    if (!address) return address.error();
    auto connection = Connection::open(*address);
    if (!connection) return connection.error();
    if (sharing == Sharing::kAlone) {
        const auto owned = postgres::take_ownership(**connection, *address, std::chrono::milliseconds{0});
        if (!owned) return owned.error();
    }
    return connection;
}

}  // namespace

Result<std::unique_ptr<RowSource>> open_postgres_source(const std::string& url, Sharing sharing) {
    auto connection = connect(url, sharing);
    if (!connection) return connection.error();
    // One moment for all tables.
    const auto begun = (*connection)->execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    if (!begun) return begun.error();
    if (const auto known = postgres::check_version(**connection); !known) return known.error();
    return std::unique_ptr<RowSource>{new PostgresSource{std::move(*connection)}};
}

Result<std::unique_ptr<RowTarget>> open_postgres_target(const std::string& url) {
    auto connection = connect(url, Sharing::kAlone);
    if (!connection) return connection.error();
    if (const auto migrated = postgres::migrate(**connection); !migrated) return migrated.error();
    for (const auto& table : tables()) {
        const auto rows =
            postgres::integer_of(**connection, fmt::format("SELECT count(*) FROM \"{}\"", table.name));
        if (!rows) return rows.error();
        if (*rows > 0) {
            return make_error(
                ErrorKind::kConflict,
                fmt::format(
                    "{}: holds something already ({} rows in {}); nothing was changed. Name a database "
                    "without a schema fieldwarden, or drop that schema",
                    (*connection)->label(), *rows, table.name));
        }
    }
    if (const auto begun = (*connection)->execute("BEGIN"); !begun) return begun.error();
    return std::unique_ptr<RowTarget>{new PostgresTarget{std::move(*connection)}};
}

}  // namespace fieldwarden::supervisor::transfer
