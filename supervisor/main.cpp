#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "tests/simulator/simulate.h"

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view{argv[1]} == "simulate")
        return fieldwarden::simulator::simulate_main(argc - 1, argv + 1);
    fmt::print(stderr, "usage: fieldwarden simulate …\n");
    return 2;
}
