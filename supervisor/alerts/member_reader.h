// Reads the members of a JSON object into the fields of a value, one after the other, and keeps every
// problem. A member that is missing or null leaves its field as it is, so that the same code reads a POST
// (over defaults) and a PATCH (over what is stored).
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/enum_table.h"
#include "proto/shapes.h"
#include "supervisor/alerts/alert_rule.h"

namespace fieldwarden::supervisor {

class MemberReader {
  public:
    // `prefix` stands before the field names in problems: "parameters.".
    MemberReader(const proto::Json& object, std::vector<RuleProblem>& problems, std::string prefix = {})
        : object_(object), problems_(problems), prefix_(std::move(prefix)) {}

    // Null when the member is missing or JSON null.
    const proto::Json* take(std::string_view name);
    [[nodiscard]] bool has(std::string_view name) const { return object_.contains(name); }

    // Text without control characters, except line breaks where `lines`.
    void text(std::string_view name, std::string& field, std::size_t most_bytes, bool lines = false);
    // A code: 1 to kLongestCode bytes of letters, digits, '_', '-' and '.'.
    void code(std::string_view name, std::string& field);
    void flag(std::string_view name, bool& field);
    void number(std::string_view name, double& field, double least, double most);
    void duration(std::string_view name, milliseconds& field, milliseconds least, milliseconds most);
    void time(std::string_view name, UtcTime& field);
    void globs(std::string_view name, std::vector<std::string>& field, std::size_t most);
    template <class E>
    void choice(std::string_view name, E& field) {
        const auto* value = take(name);
        if (value == nullptr) return;
        const auto found =
            value->is_string() ? from_name<E>(value->get_ref<const std::string&>()) : std::nullopt;
        if (found) {
            field = *found;
        } else {
            problem(name, "bad_value", std::string{name} + " is one of " + all_names<E>());
        }
    }
    void problem(std::string_view name, std::string_view code, std::string message);
    // Members nobody asked for are problems too.
    void finish();

  private:
    const proto::Json& object_;
    std::vector<RuleProblem>& problems_;
    std::string prefix_;
    std::vector<std::string> taken_;
};

}  // namespace fieldwarden::supervisor
