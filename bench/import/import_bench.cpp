// Reads, validates and diffs one workbook against an empty plant; prints the times and the peak memory as
// JSON. Usage: import_bench FILE
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "supervisor/workbook/workbook.h"

using namespace fieldwarden;
using namespace fieldwarden::supervisor;

namespace {

using Steady = std::chrono::steady_clock;

double seconds_since(Steady::time_point start) {
    return std::chrono::duration<double>(Steady::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: import_bench FILE\n");
        return 2;
    }
    constexpr std::array kProtocols{Protocol::kModbusTcp};
    constexpr std::array<std::string_view, 1> kSinks{"history"};
    const ValidationRules rules{.protocols = kProtocols, .sink_types = kSinks};
    const Plant empty;

    const auto start = Steady::now();
    auto workbook = read_workbook(argv[1], argv[1], Language::kEnglish);
    if (!workbook) {
        std::fprintf(stderr, "import_bench: %s\n", workbook.error().message.c_str());
        return 1;
    }
    const double read_s = seconds_since(start);
    const auto validation = validate(*workbook, empty, rules);
    const double validate_s = seconds_since(start) - read_s;
    *workbook = {};
    const auto changes = diff(empty, validation.proposed);
    const double total_s = seconds_since(start);

    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const nlohmann::json result{{"points", changes.of(Kind::kPoint).added.size()},
                                {"errors", validation.problems.error_count()},
                                {"warnings", validation.problems.warning_count()},
                                {"read_s", read_s},
                                {"validate_s", validate_s},
                                {"diff_s", total_s - read_s - validate_s},
                                {"total_s", total_s},
                                {"peak_rss_mb", static_cast<double>(usage.ru_maxrss) / 1024}};
    std::printf("%s\n", result.dump().c_str());
    return validation.ok() ? 0 : 1;
}
